"""What of a query or document does not reach a model is on the call."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import shortlist
from shortlist import Candidate, Document, Query, Ranking
from shortlist.backends.fake import Oracle
from shortlist.core.errors import ScoreError
from shortlist.drive import Budget, Scheduled
from shortlist.schedules import Map
from shortlist.scorers import Pairs
from shortlist.scorers.passages import aggregate

DOCUMENTS = tuple(
    Candidate(Document(f"d{i}", text), float(-i)) for i, text in enumerate(["coffee", "tulips in a garden"])
)


@pytest.mark.parametrize("method", ["late-interaction", "bi-encoder"])
def test_a_query_longer_than_the_window_is_recorded(method: str, tmp_path: Path) -> None:
    params = {"cache": tmp_path} if method == "late-interaction" else {}
    long = Ranking(Query("q", "coffee " * 300 + "tulip"), DOCUMENTS)
    short = Ranking(Query("r", "coffee"), DOCUMENTS)
    cut, whole = shortlist.load(method, **params).rerank([long, short])
    assert cut.repairs["query_cut"] >= 1 and "query_cut" not in whole.repairs
    repair = next(r for call in cut.trace for r in call.repairs if r.kind == "query_cut")
    assert repair.detail == "256 of 304 tokens"  # "tulip" is two word pieces


def test_an_instruction_without_a_place_is_recorded() -> None:
    asked = Ranking(Query("q", "coffee", instruction="only recent"), DOCUMENTS)
    (done,) = Scheduled(Pairs(Oracle()), Map()).rerank([asked])
    assert done.repairs["instruction_ignored"] == len(DOCUMENTS)


@pytest.mark.parametrize("how", ["max", "first", "mean"])
@pytest.mark.parametrize("scores", [[1.0], [1.0, 2.0, 3.0, 4.0], [1.0, math.nan, 2.0]])
def test_wrong_numbers_of_passage_scores_are_refused(how: str, scores: list[float]) -> None:
    with pytest.raises(ScoreError):
        aggregate(scores, [2, 1], how)  # type: ignore[arg-type]


def test_a_later_stage_does_not_heal_an_earlier_one() -> None:
    start = Ranking(Query("q", "x"), tuple(Candidate(Document(f"d{i}", str(i)), 1.0) for i in range(5)))
    stopped = Scheduled(Pairs(Oracle()), Map(), Budget(calls=2))
    (done,) = (stopped % 3 >> Scheduled(Pairs(Oracle()), Map()))([start])
    assert done.status == "partial" and "earlier stage partial: call budget of 2" in done.reason


def test_the_first_stage_keeps_having_no_score_when_it_had_none() -> None:
    start = Ranking(Query("q", "x"), tuple(Candidate(Document(f"d{i}", str(i))) for i in range(3)))
    twice = Scheduled(Pairs(Oracle()), Map())
    (done,) = (twice >> twice)([start])
    assert [c.first_score for c in done.candidates] == [None] * 3
    assert [c.first_rank for c in done.candidates] == [2, 1, 0]
