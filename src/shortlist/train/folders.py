"""Model folders as data: tensors written as safetensors, and what stands beside them copied.

The safetensors format is eight bytes of header length, a JSON header and raw little-endian data. Tensors are written
one after the other, so a model need not fit into memory. It does not know architectures and needs no torch.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends.embedded.architecture import read_json
from ..backends.embedded.weights import Weights
from ..core.errors import ConfigError
from ..formats.atomic import atomic_bytes, atomic_text

_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1, "I32": 4, "I64": 8}
_NOT_COPIED = (".safetensors", ".md", ".onnx", ".bin")


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor to be written. kind: the file's name of its type (F32, BF16, I8 ...). values: called once."""

    kind: str
    shape: tuple[int, ...]
    values: Callable[[], NDArray[Any]]


def weights_of(folder: Path) -> Weights:
    """The weights of a folder. Raises ConfigError when it holds no safetensors."""
    files = tuple(sorted(folder.glob("*.safetensors")))
    if not files or not (folder / "config.json").is_file():
        raise ConfigError(f"{folder} is no model folder: expected config.json and *.safetensors")
    return Weights(files)


def unused(name: str, labels: int) -> bool:
    """The pooler of an encoder without a head (no labels): mean pooling does not read it."""
    return labels == 0 and "pooler." in name


def as_stored(weights: Weights, name: str, rows: NDArray[Any] | None = None) -> Tensor:
    """A tensor copied bit by bit; rows: only these of its first axis."""
    array, kind = weights.stored(name)
    shape = array.shape if rows is None else (len(rows), *array.shape[1:])
    return Tensor(kind, tuple(shape), lambda: array if rows is None else array[rows])


def floats(values: Callable[[], NDArray[np.float32]], shape: tuple[int, ...]) -> Tensor:
    """A float32 tensor."""
    return Tensor("F32", shape, values)


def bfloat16(weights: Weights, name: str) -> Tensor:
    """A tensor rounded to bfloat16, to the nearest, ties to even."""

    def bits() -> NDArray[np.uint16]:
        wide = weights.floats(name).view(np.uint32).astype(np.uint64)
        return ((wide + 0x7FFF + ((wide >> 16) & 1)) >> 16).astype(np.uint16)

    return Tensor("BF16", weights.shape(name), bits)


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A safetensors file that appears when it is whole; wide types first, then by name, for alignment."""
    order = sorted(tensors, key=lambda name: (-_SIZES[tensors[name].kind], name))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name in order:
        tensor = tensors[name]
        end = start + _SIZES[tensor.kind] * int(np.prod(tensor.shape, dtype=np.int64))
        header[name] = {"dtype": tensor.kind, "shape": list(tensor.shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_bytes(path) as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            out.write(np.ascontiguousarray(tensors[name].values()).tobytes())


def copy_beside(folder: Path, output: Path, **changed: Any) -> None:
    """Configuration, tokenizer and settings, not weights, cards and records. changed: entries of config.json."""
    output.mkdir(parents=True, exist_ok=True)
    if any(output.glob("*.safetensors")):
        raise ConfigError(f"{output} holds a model already; give another folder")
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix not in _NOT_COPIED and path.name != "model.safetensors.index.json":
            shutil.copyfile(path, output / path.name)
        elif path.is_dir() and path.name == "1_Pooling":
            shutil.copytree(path, output / path.name, dirs_exist_ok=True)
    if changed:
        write_json(output / "config.json", {**read_json(output / "config.json"), **changed})


def write_json(path: Path, content: Any) -> None:
    """A JSON file of this package's looks."""
    with atomic_text(path) as out:
        out.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
