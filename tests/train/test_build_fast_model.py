"""The tool that prepares what the fast model is trained on, and builds its folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from shortlist.backends.embedded import Encoder
from shortlist.formats import read
from shortlist.train.folders import weights_of


@pytest.fixture(scope="module")
def tool(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("tools/build_fast_model")


def test_samples_hold_texts_of_like_length_of_the_wanted_sources(tool: ModuleType, tmp_path: Path) -> None:
    rows = [{"_id": str(i), "text": "ab " * (i + 1), "source": "squad-dev" if i % 2 else "book"} for i in range(160)]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [{"_id": f"q{i}", "text": "why " * (i + 1), "source": "book"} for i in range(40)]
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    command = ["samples", str(tmp_path / "corpus.jsonl"), str(tmp_path / "queries.jsonl"), "--without", "squad"]
    for name in ("one", "two"):
        tool.main([*command, "-o", str(tmp_path / f"{name}.jsonl")])
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    found = list(read(tmp_path / "one.jsonl"))
    assert [len(ranking.candidates) for ranking in found] == [36, 36, 36]  # 80 passages and 40 queries
    texts = {"ab " * (i + 1) for i in range(0, 160, 2)} | {row["text"] for row in asked}
    for ranking in found:
        held = [c.document.text for c in ranking.candidates]
        assert set(held) < texts
        longest, shortest = max(map(len, held)), min(map(len, held))
        assert sum(shortest <= len(text) <= longest for text in texts if text[0] == held[0][0]) == len(held)


def test_a_trained_model_is_packed_and_opens(tool: ModuleType, models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": "some words", "source": "book"}\n')
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("the card stays")
    tool.main(["ship", str(models["encoder"]), str(tmp_path / "corpus.jsonl"), "--out", str(out)])
    assert sorted(p.name for p in out.iterdir()) == [
        "README.md", "config.json", "model.safetensors", "sentence_bert_config.json", "tokenizer.json",
    ]  # fmt: skip
    assert (out / "README.md").read_text() == "the card stays"
    packed = weights_of(out)
    assert packed.packed("embeddings.word_embeddings.weight")
    assert packed.stored("encoder.layer.0.output.dense.weight")[1] == "I8"
    assert np.isfinite(Encoder(out, precision="fp32", max_length=64).embed(["some words"])).all()
