"""What scorers without prompts spend: distinct texts and the tokens that the backend counts, so that budgets hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest

import shortlist
from shortlist.backends.fake import Oracle
from shortlist.check import make_ranking
from shortlist.core.exchange import Reading, Request
from shortlist.core.types import Candidate, Document, Length, Query, Ranking, Usage
from shortlist.drive import Budget, Scheduled
from shortlist.prompts import load_prompt
from shortlist.schedules import Map, Once
from shortlist.scorers import Cosine, Grouped, LateInteraction, ListQuery, Pairs

Kind = Literal["query", "document"]


@dataclass(frozen=True)
class Counting(Oracle):
    """10 tokens a query, 100 a document, 1000 a prompt, 7 a pair."""

    def lengths(self, texts: Sequence[str], *, kind: Kind) -> list[Length]:
        assert len(set(texts)) == len(texts)
        return [Length(10 if kind == "query" else 100, 10 if kind == "query" else 100)] * len(texts)

    def measure(self, request: Request) -> int:
        return 1000

    def pair_tokens(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        return [7] * len(pairs)

    def group_scores(self, groups: Sequence[tuple[str, Sequence[str]]]) -> list[Reading]:
        return [replace(reading, usage=Usage(1, 50)) for reading in super().group_scores(groups)]


def doubled(query_id: str = "q") -> Ranking:
    """Six documents of three texts."""
    candidates = tuple(Candidate(Document(f"d{i}", str(i % 3))) for i in range(6))
    return Ranking(Query(query_id, "x"), candidates)


@pytest.mark.parametrize(
    ("scorer", "schedule", "usage"),
    [
        (ListQuery(load_prompt("e2rank"), Counting()), Once(), Usage(1 + 3, 1000 + 300)),
        (Cosine(Counting()), Once(), Usage(3, 10 + 300)),
        (Cosine(Counting()), Map(), Usage(3, 10 + 300)),
        (Pairs(Counting()), Map(), Usage(6, 42)),
        (Grouped(Counting()), Once(), Usage(1, 50)),
        (Cosine(Oracle()), Map(), Usage(3, 0)),
        (Pairs(Oracle()), Map(), Usage(6, 0)),
    ],
)
def test_distinct_texts_and_their_tokens_are_counted(scorer: Any, schedule: Any, usage: Usage) -> None:
    (done,) = Scheduled(scorer, schedule).rerank([doubled()])
    assert replace(done.usage, seconds=0.0) == usage
    both = Scheduled(scorer, schedule).rerank([doubled("a"), doubled("b")])
    assert [replace(r.usage, seconds=0.0) for r in both] == [usage, usage]  # whatever it is batched with


def test_late_interaction_counts_the_states_it_read() -> None:
    backend = Oracle()
    (done,) = Scheduled(LateInteraction(backend), Once()).rerank([doubled()])
    texts = backend.token_states(["0", "1", "2"], kind="document")
    (query,) = backend.token_states(["x"], kind="query")
    assert done.usage.prompt_tokens == len(query) + sum(map(len, texts)) > 0


def test_the_shipped_encoder_counts_its_tokens(tmp_path: Path) -> None:
    method = shortlist.load("bi-encoder")
    (done,) = method.rerank([Ranking(Query("q", "coffee"), (Candidate(Document("d", "a garden")),))])
    assert done.usage.prompt_tokens == 3 + 4  # with [CLS] and [SEP]


def test_a_token_budget_stops_a_scorer_that_counts() -> None:
    limited = Scheduled(Pairs(Counting()), Map(), Budget(tokens=0))
    (done,) = limited.rerank([make_ranking(5)])
    assert done.status != "ranked" and "token budget" in done.reason
    from shortlist.schedules import SlidingWindow

    grouped = Scheduled(Grouped(Counting()), SlidingWindow(4, 2), Budget(tokens=100))
    (done,) = grouped.rerank([make_ranking(20)])
    assert done.usage.prompt_tokens == 100 and done.status == "partial"
