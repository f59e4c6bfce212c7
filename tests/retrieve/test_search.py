"""Snippets, timing, and what a search gives back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import Query, Ranking
from shortlist.core.errors import BackendError, ConfigError, UnknownName
from shortlist.pipeline import Head, Stage, Then
from shortlist.retrieve import _search
from shortlist.retrieve._analysis import Analysis
from shortlist.retrieve._search import Searcher
from shortlist.retrieve._snippet import snippet

ENGLISH = Analysis("english")


def test_a_snippet_shows_the_stretch_with_the_most_query_terms() -> None:
    text = "Flea here. " + "Nothing of interest. " * 40 + "The life of a flea lasts long. " + "More filler. " * 40
    found = snippet(text, frozenset({"life", "flea"}), ENGLISH, width=80)
    assert "life of a flea" in found.text and len(found.text) <= 80
    assert found.cut_before and found.cut_after
    assert [found.text[s:e] for s, e in found.marks] == ["life", "flea"]
    assert "The <life> of a <flea> lasts" in found.marked("<", ">")


def test_overlapping_grams_are_one_mark() -> None:
    found = snippet("私は東京都庁に行く", frozenset(Analysis("japanese").terms("東京都庁")), Analysis("japanese"))
    assert found.marked("[", "]") == "私は[東京都庁]に行く"


@given(st.text(max_size=600), st.text(max_size=30), st.integers(5, 120))
def test_any_snippet_is_part_of_the_text(text: str, query: str, width: int) -> None:
    found = snippet(text, frozenset(ENGLISH.terms(query)), ENGLISH, width=width)
    assert len(found.text) <= width
    assert all(0 <= s < e <= len(found.text) for s, e in found.marks)
    assert found.marked("", "").strip("… ") == found.text.strip("… ")


@dataclass(frozen=True)
class SlowBackend:
    seconds: float = 0.02

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        time.sleep(self.seconds)
        return [float(len(text)) for _, text in pairs]


@dataclass(frozen=True)
class ByLength:
    backend: Any = SlowBackend()


@dataclass(frozen=True)
class Longest:
    """Ranks the longest text first, slowly."""

    scorer: Any = ByLength()

    def rerank(self, rankings: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]:
        ranked = []
        for ranking in rankings:
            scores = self.scorer.backend.pair_scores([(ranking.query.text, d.text) for d in ranking.documents])
            order = sorted(range(len(scores)), key=lambda i, s=scores: -s[i])  # type: ignore[misc]
            ranked.append(ranking.reorder(order, scores))
        return ranked


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for name, text in {"a": "flea", "b": "flea and more words", "c": "a flea or two", "d": "dog"}.items():
        (tmp_path / f"{name}.txt").write_text(text)
    return tmp_path


def test_a_search_reranks_the_first_stage_and_says_how_long_it_took(
    docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_search.RERANKERS.__class__, "load", lambda self, name, **params: Longest())
    searcher = Searcher.open(docs, reranker="cross-encoder", top_k=2)
    found = searcher.search(Query("q", "flea"), explain=True)
    assert found.first.ids == ("a.txt", "c.txt", "b.txt")
    assert [(c.id, c.first_rank) for c in found.ranking.candidates] == [("b.txt", 2), ("c.txt", 1)]
    assert found.ranking.candidates[0].first_score == found.first.candidates[2].score
    assert searcher.seconds["load"] >= 0.02
    assert 0.02 <= found.seconds["encode"] <= found.seconds["rerank"] <= found.seconds["total"]
    assert [set(parts) for parts in found.explained] == [{"flea"}] * 3


@dataclass(frozen=True)
class LongestStage(Longest, Stage):
    """The same as a part of a chain."""


def test_models_inside_a_chain_are_loaded_and_timed_too(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Then((LongestStage(), Head(LongestStage(), 2)))
    monkeypatch.setattr(_search.RERANKERS.__class__, "load", lambda self, name, **params: chain)
    searcher = Searcher.open(docs, reranker="cascade")
    assert searcher.seconds["load"] >= 0.04, "both are warm before the first query"
    assert searcher.search(Query("q", "flea")).seconds["encode"] >= 0.04


def test_depth_limits_what_is_reranked(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_search.RERANKERS.__class__, "load", lambda self, name, **params: Longest())
    searcher = Searcher.open(docs, reranker="cross-encoder", depth=2)
    assert searcher.search(Query("q", "flea")).ranking.ids == ("c.txt", "a.txt")
    with pytest.raises(ConfigError, match="depth=0"):
        Searcher.open(docs, depth=0)


def test_a_reranker_that_cannot_be_loaded_says_how_to_do_without(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match="did you mean"):
        Searcher.open(docs, reranker="late-interactoin")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such weights")

    monkeypatch.setattr(_search.RERANKERS.__class__, "load", fail)
    with pytest.raises(BackendError, match=r"no such weights.*--no-rerank"):
        Searcher.open(docs, reranker="cross-encoder")
