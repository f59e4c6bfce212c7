"""The invariants of the values."""

import math
from dataclasses import replace

import pytest

from shortlist import Candidate, Document, Query, Ranking, Scale
from shortlist.core.errors import RankingError, ScoreError
from shortlist.core.types import MISSING, Call, Repair, Usage


def ranking(*ids: str, score: float | None = 1.0) -> Ranking:
    return Ranking(Query("q", "text"), tuple(Candidate(Document(i, "same text"), score) for i in ids))


def test_a_repeated_id_is_refused_and_named() -> None:
    with pytest.raises(RankingError, match=r"'q'.*\['b'\]"):
        ranking("a", "b", "b")


def test_equal_texts_under_two_ids_stay_apart() -> None:
    assert ranking("a", "b").reorder([1, 0]).ids == ("b", "a")


@pytest.mark.parametrize("order", [[0], [0, 0], [0, 2], [0, 1, 2], [-1, 0]])
def test_a_reorder_must_be_a_permutation(order: list[int]) -> None:
    with pytest.raises(RankingError, match="not a permutation of 2"):
        ranking("a", "b").reorder(order)


def test_rank_derived_scores_decrease_strictly_and_say_so() -> None:
    done = ranking("a", "b", "c").reorder([2, 0, 1])
    assert [c.score for c in done.candidates] == [3.0, 2.0, 1.0]
    assert done.scale is Scale.RANK


def test_first_score_and_rank_travel_with_the_document_through_two_stages() -> None:
    scored = [("a", 9.0), ("b", 8.0), ("c", 7.0)]
    start = Ranking(Query("q", "t"), tuple(Candidate(Document(i, ""), s) for i, s in scored))
    twice = start.reorder([2, 0, 1], [0.1, 0.2, 0.3], scale=Scale.LOGIT).reorder([2, 1, 0])
    first = {c.id: (c.first_score, c.first_rank) for c in twice.candidates}
    assert first == {"a": (9.0, 0), "b": (8.0, 1), "c": (7.0, 2)}


def test_scores_are_given_by_old_position() -> None:
    done = ranking("a", "b").reorder([1, 0], [0.25, 0.75], scale=Scale.PROBABILITY)
    assert [(c.id, c.score) for c in done.candidates] == [("b", 0.75), ("a", 0.25)]


def test_a_missing_score_is_none_on_the_candidate_never_a_number() -> None:
    done = ranking("a", "b").reorder([1, 0], [MISSING, 2.0], scale=Scale.LOGIT)
    assert [c.score for c in done.candidates] == [2.0, None]


def test_k_is_a_prefix_and_negative_k_is_refused() -> None:
    full = ranking("a", "b", "c")
    assert full.top(2).ids == ("a", "b") and full.top(None) is full and full.top(9) is full
    assert full.top(0).ids == ()
    with pytest.raises(RankingError, match="-1"):
        full.top(-1)


def test_nan_scores_are_refused_where_they_enter() -> None:
    with pytest.raises(ScoreError, match="'a'"):
        ranking("a", score=math.nan)
    with pytest.raises(ScoreError, match="'a'"):
        Call(("a",), (math.nan,))
    with pytest.raises(ScoreError, match="1 scores came back"):
        Call(("a", "b"), (1.0,))
    with pytest.raises(ScoreError, match="1 cosine came back"):
        Call(("a", "b"), (1.0, 2.0), parts={"cosine": (1.0,)})
    with pytest.raises(ScoreError, match="'b'"):
        Call(("a", "b"), (1.0, 2.0), parts={"cosine": (1.0, math.nan)})


def test_usage_and_repairs_add_up_over_the_trace() -> None:
    calls = (
        Call(("a",), (1.0,), "", (Repair("retried", 2),), Usage(1, 10, 5)),
        Call(("a",), (1.0,), "", (Repair("retried"), Repair("no_tag")), Usage(1, 1, 1)),
    )
    done = replace(ranking("a"), trace=calls)
    assert done.usage == Usage(2, 11, 6) and done.usage.tokens == 17
    assert done.repairs == {"retried": 3, "no_tag": 1}
