"""DeAR: stage 1 scores as the authors' code does, and both stages run on local models.

Golden numbers: DataScienceUIBK/DeAR-Reranking c31c739, ``simple_rerank.py``, ``load_ranker`` and ``rerank`` (batch of
five, right padding), run on the model of ``head_model`` (a two-layer Llama with a classification head, seed 0; torch
2.13.0 CPU, transformers 5.23.0). That repository has no licence: it was run, and nothing was copied from it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shortlist.core.types import Candidate, Document, Query, Ranking
from shortlist.pipeline import Head, Then
from shortlist.rerank.dear import build

QUERY = "how long do fleas live?"
DOCUMENTS = (
    ("Fleas", "A flea lives a hundred days."),
    ("", "the cost of concrete floors is low in spring"),
    ("Fleas of the cat", "They live longer."),
    ("", "document: query: how long?"),
    ("", "a hundred days of spring"),
)
SCORES = [0.5221525, 1.8577816, -0.7408823, 1.3403287, -2.4918199]


def head_model(folder: Path, make_decoder: Callable[..., Path]) -> Path:
    """A tiny Llama with one output, and a tokenizer that puts a BOS before each text of a pair, as Llama's does."""
    return make_decoder(folder, "llama", bos=True, head="SequenceClassification", num_labels=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_decoder: Callable[..., Path]) -> Path:
    return head_model(tmp_path_factory.mktemp("dear"), make_decoder)


def ranking() -> Ranking:
    documents = (Document(f"d{i}", text, title=title or None) for i, (title, text) in enumerate(DOCUMENTS))
    return Ranking(Query("q", QUERY), tuple(Candidate(d, 5.0 - i) for i, d in enumerate(documents)))


def test_stage_one_scores_are_the_authors(folder: Path, decoders: dict[str, Path]) -> None:
    cascade = build(model=str(decoders["llama"]), pointwise=str(folder))
    assert isinstance(cascade, Then)
    (done,) = cascade.stages[0].apply([ranking()])
    by_id = {c.id: c.score for c in done.candidates}
    ours = np.array([by_id[f"d{i}"] for i in range(len(DOCUMENTS))])
    assert np.abs(ours - SCORES).max() < 1e-5
    assert not done.repairs


def test_both_stages_run_on_local_models(folder: Path, decoders: dict[str, Path], tmp_path: Path) -> None:
    short = tmp_path / "short.toml"  # the tiny model has 512 positions
    short.write_text('body = "[{id}] {passage}\\n"\nsuffix = "{query}"\nmax_tokens = 8\n', encoding="utf-8")
    cascade = build(model=str(decoders["qwen3"]), pointwise=str(folder), depth=3, prompt=str(short))
    (done,) = cascade.apply([ranking()])
    (first,) = cascade.stages[0].apply([ranking()])
    assert isinstance(cascade.stages[1], Head)
    assert done.ids[3:] == first.ids[3:]
    assert sorted(done.ids) == sorted(first.ids)
    assert len(done.trace) == 5 + 1
    assert done.status in ("ranked", "unscored")  # a random model may say nothing that can be read
