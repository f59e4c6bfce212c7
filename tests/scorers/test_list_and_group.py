"""Scorers of whole groups: a query vector made from the list, and numbers read together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from shortlist.backends.fake import Oracle, PositionBiased
from shortlist.check import make_ranking
from shortlist.check.data import true_order
from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Reading, Request
from shortlist.core.protocols import Capability
from shortlist.core.types import MISSING, Candidate, Document, Query, Ranking, Repair
from shortlist.drive import Scheduled
from shortlist.prompts import load_prompt
from shortlist.schedules import Map, Once, SlidingWindow
from shortlist.scorers import Grouped, ListQuery


@dataclass(frozen=True)
class Counting(Oracle):
    """An oracle that notes what it was asked to encode."""

    encoded: list[str] = field(default_factory=list, compare=False)
    prompts: list[Request] = field(default_factory=list, compare=False)

    def embed(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> Any:
        self.encoded.extend(texts)
        return super().embed(texts, kind=kind)

    def embed_prompts(self, requests: Sequence[Request]) -> Any:
        self.prompts.extend(requests)
        return Oracle().embed_prompts(requests)


def test_the_prompt_shows_the_first_documents_and_all_are_scored() -> None:
    backend = Counting()
    scorer = ListQuery(load_prompt("e2rank"), backend, shown=7)
    (done,) = Scheduled(scorer, Once()).rerank([make_ranking(41, seed=1)])
    assert done.ids == true_order(41)
    (request,) = backend.prompts
    shown = [c.document.text for c in make_ranking(41, seed=1).candidates[:7]]
    assert all(f"[{i}] {text}\n" in request.texts[0] for i, text in enumerate(shown, 1))
    assert "[8]" not in request.texts[0] and "Search Query: what is most relevant?" in request.texts[0]


def test_equal_texts_are_encoded_once_in_a_call() -> None:
    backend = Counting()
    twice = [make_ranking(10, seed=1, query_id="a"), make_ranking(10, seed=2, query_id="b")]
    Scheduled(ListQuery(load_prompt("e2rank"), backend), Once()).rerank(twice)
    assert len(backend.encoded) == 10 and len(backend.prompts) == 2


def test_scores_that_depend_on_the_list_are_not_pooled() -> None:
    for scorer in (ListQuery(load_prompt("e2rank"), Oracle()), Grouped(Oracle())):
        assert scorer.comparable == "within"
        with pytest.raises(ConfigError, match="compares scores of different calls"):
            Scheduled(scorer, Map(25))


def test_a_backend_without_prompts_is_refused() -> None:
    @dataclass(frozen=True)
    class TextsOnly(Oracle):
        @property
        def capabilities(self) -> frozenset[Capability]:
            return frozenset({Capability.EMBED})

    with pytest.raises(ConfigError, match="ListQuery needs the capability embed_prompts; TextsOnly has embed"):
        ListQuery(load_prompt("e2rank"), TextsOnly())
    with pytest.raises(ConfigError, match="Grouped needs the capability group_scores"):
        Grouped(TextsOnly())
    with pytest.raises(ConfigError, match="shown=0"):
        ListQuery(load_prompt("e2rank"), Oracle(), shown=0)


def test_a_group_is_read_together_and_in_order() -> None:
    biased = Grouped(PositionBiased(bias=100.0))
    (call,) = biased.score([(Query("q", "x"), make_ranking(5).candidates)])
    relevance = [float(c.id[1:]) for c in make_ranking(5).candidates]
    assert call.scores == tuple(r - 100.0 * i for i, r in enumerate(relevance))


def test_what_a_backend_left_out_or_cut_is_on_the_call() -> None:
    @dataclass(frozen=True)
    class Cutting(Oracle):
        def group_scores(self, groups: Sequence[tuple[str, Sequence[str]]]) -> list[Reading]:
            return [Reading((MISSING,) * len(d), (Repair("passage_cut", detail="1"),)) for _, d in groups]

    (done,) = Scheduled(Grouped(Cutting()), SlidingWindow(25, 15)).rerank([make_ranking(30)])
    assert done.status == "unscored" and done.repairs == {"passage_cut": 2}


def test_an_instruction_without_a_place_is_said() -> None:
    start = Ranking(Query("q", "x", instruction="only physics"), (Candidate(Document("d", "1")),))
    (grouped,) = Scheduled(Grouped(Oracle()), Once()).rerank([start])
    (listed,) = Scheduled(ListQuery(load_prompt("e2rank"), Oracle()), Once()).rerank([start])
    assert grouped.repairs == {"instruction_ignored": 1} and not listed.repairs
