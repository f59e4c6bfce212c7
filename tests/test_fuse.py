"""Fusion against values computed by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import fuse
from shortlist.core.errors import ConfigError, RankingError, ScoreError
from shortlist.core.types import MISSING, Call, Candidate, Document, Query, Ranking, Scale, Status


def ranking(
    *scored: tuple[str, float | None], status: Status = "ranked", query: str = "q", reason: str = ""
) -> Ranking:
    return Ranking(
        Query(query, "text"), tuple(Candidate(Document(i, i), s) for i, s in scored), status, Scale.LOGIT, reason
    )


def result(fused: Ranking) -> dict[str, float | None]:
    return {c.id: c.score for c in fused.candidates}


A = ranking(("a", 5.0), ("b", 3.0), ("c", 1.0))
B = ranking(("c", 0.9), ("d", 0.5), ("a", 0.1))
METHODS: list[Callable[[list[Ranking]], Ranking]] = [
    fuse.rrf,
    fuse.borda,
    fuse.comb_sum,
    fuse.comb_mnz,
    fuse.comb_anz,
    fuse.comb_med,
    lambda rankings: fuse.interpolate(rankings, [0.5] * len(rankings)),
]


def test_rrf() -> None:
    fused = fuse.rrf([A, B])
    assert result(fused) == pytest.approx({"a": 1 / 61 + 1 / 63, "c": 1 / 63 + 1 / 61, "b": 1 / 62, "d": 1 / 62})
    assert fused.ids == ("a", "c", "b", "d")  # both ties go to the order of the first ranking, then of the second
    assert fused.scale is Scale.RELATIVE


def test_rrf_k_and_weights() -> None:
    assert result(fuse.rrf([A, B], k=0, weights=[1, 3])) == pytest.approx(
        {"c": 1 / 3 + 3, "a": 1 + 3 / 3, "d": 3 / 2, "b": 1 / 2}
    )


def test_rrf_needs_no_scores() -> None:
    assert fuse.rrf([ranking(("x", None), ("y", None)), ranking(("y", None))]).ids == ("y", "x")


def test_borda_shares_the_remaining_points() -> None:
    """Four documents: 4, 3, 2 points for the listed ones and 1 for the only one that is not."""
    fused = fuse.borda([A, B])
    assert result(fused) == {"a": 4 + 2, "c": 2 + 4, "b": 3 + 1, "d": 1 + 3}
    assert fused.ids == ("a", "c", "b", "d")
    assert fused.scale is Scale.POINTS
    one_of_four = ranking(("d", 1.0))
    assert result(fuse.borda([A, one_of_four], weights=[1, 2])) == {"d": 1 + 8, "a": 4 + 4, "b": 3 + 4, "c": 2 + 4}


def test_comb_sum_min_max() -> None:
    """A: 1, .5, 0. B: 1, .5, 0."""
    fused = fuse.comb_sum([A, B])
    assert result(fused) == pytest.approx({"a": 1.0, "c": 1.0, "b": 0.5, "d": 0.5})
    assert fused.ids == ("a", "c", "b", "d")


def test_comb_sum_without_normalisation_gives_an_absent_document_the_lowest_score() -> None:
    logits = ranking(("a", -1.0), ("b", -4.0))
    assert result(fuse.comb_sum([logits, ranking(("c", 2.0), ("a", 1.0))], normalise="none")) == {
        "a": -1.0 + 1.0,
        "c": -4.0 + 2.0,
        "b": -4.0 + 1.0,
    }


def test_comb_sum_z_gives_an_absent_document_the_lowest_score() -> None:
    """Deviation of 5, 3, 1 is sqrt(8/3)."""
    z = 2 / math.sqrt(8 / 3)
    assert result(fuse.comb_sum([A, ranking(("d", 7.0))], normalise="z")) == pytest.approx(
        {"a": z, "b": 0.0, "c": -z, "d": -z}
    )


def test_comb_mnz_anz_med() -> None:
    third = ranking(("a", 4.0), ("e", 2.0), ("b", 0.0))
    rankings = [A, B, third]  # min-max: a 1 0 1; b .5 - 0; c 0 1 -; d - .5 -; e - - .5
    assert result(fuse.comb_mnz(rankings)) == pytest.approx({"a": 6.0, "c": 2.0, "b": 1.0, "d": 0.5, "e": 0.5})
    assert result(fuse.comb_anz(rankings)) == pytest.approx({"a": 2 / 3, "c": 0.5, "d": 0.5, "e": 0.5, "b": 0.25})
    assert result(fuse.comb_med(rankings)) == pytest.approx({"a": 1.0, "c": 0.5, "d": 0.5, "e": 0.5, "b": 0.25})
    assert fuse.comb_anz(rankings).ids == ("a", "c", "d", "e", "b")


def test_interpolate() -> None:
    assert result(fuse.interpolate([A, B], [0.1, 0.9])) == pytest.approx({"c": 0.9, "d": 0.45, "a": 0.1, "b": 0.05})
    raw = [ranking(("a", 0.8), ("b", 0.7)), ranking(("b", 0.9), ("a", 0.2))]
    assert result(fuse.interpolate(raw, [0.6, 0.4], normalise="none")) == pytest.approx({"b": 0.78, "a": 0.56})


@pytest.mark.parametrize(
    ("how", "spread", "constant", "single"),
    [
        ("none", [4.0, 1.0, 0.0], [2.0, 2.0], [7.0]),
        ("min-max", [1.0, 0.25, 0.0], [1.0, 1.0], [1.0]),
        ("sum", [0.8, 0.2, 0.0], [0.5, 0.5], [1.0]),
        ("rank", [1.0, 2 / 3, 1 / 3], [1.0, 0.5], [1.0]),
        ("z", [7 / math.sqrt(26), -2 / math.sqrt(26), -5 / math.sqrt(26)], [0.0, 0.0], [0.0]),
    ],
)
def test_normalisations(
    how: fuse.Normalisation, spread: list[float], constant: list[float], single: list[float]
) -> None:
    assert fuse.normalised([4.0, 1.0, 0.0], how) == pytest.approx(spread)
    assert fuse.normalised([2.0, 2.0], how) == constant
    assert fuse.normalised([7.0], how) == single
    assert fuse.normalised([], how) == []


def test_missing_score_is_no_opinion() -> None:
    """The document stays in the result, and counts like one that the ranking does not hold."""
    partly = ranking(("a", 2.0), ("b", 1.0), ("c", MISSING))
    other = ranking(("c", 3.0), ("b", 1.0), ("a", 0.0))
    assert result(fuse.rrf([partly, other])) == pytest.approx({"a": 1 / 61 + 1 / 63, "b": 2 / 62, "c": 1 / 61})
    assert result(fuse.comb_anz([partly, other])) == pytest.approx({"c": 1.0, "a": 0.5, "b": 1 / 6})
    assert result(fuse.comb_med([partly, partly]))["c"] == MISSING
    assert fuse.comb_med([partly, partly]).ids == ("a", "b", "c")


@pytest.mark.parametrize("method", METHODS)
def test_first_stage_of_the_first_ranking_is_kept(method: Callable[[list[Ranking]], Ranking]) -> None:
    first = Ranking(
        Query("q", ""), (Candidate(Document("a", "first"), 2.0, 11.0, 4), Candidate(Document("b", ""), 1.0))
    )
    second = Ranking(Query("q", ""), (Candidate(Document("a", "second"), 3.0, 22.0, 5),
                                      Candidate(Document("c", ""), 1.0, 33.0, 6)))  # fmt: skip
    kept = {c.id: (c.document.text, c.first_score, c.first_rank) for c in method([first, second]).candidates}
    assert kept == {"a": ("first", 11.0, 4), "b": ("", None, None), "c": ("", 33.0, 6)}


@pytest.mark.parametrize("method", METHODS)
def test_one_ranking_keeps_its_order(method: Callable[[list[Ranking]], Ranking]) -> None:
    assert method([A]).ids == A.ids
    assert method([ranking()]).candidates == ()
    assert method([ranking(("a", 1.0), ("b", 1.0), ("c", 1.0))]).ids == ("a", "b", "c")


def test_status_is_that_of_the_weakest_part() -> None:
    retrieved, partial = ranking(("a", 1.0), status="retrieved"), ranking(("a", 1.0), status="partial", reason="budget")
    assert fuse.rrf([retrieved, retrieved]).status == "retrieved"
    assert fuse.rrf([retrieved, A]).status == "ranked"
    fused = fuse.rrf([A, partial])
    assert (fused.status, fused.reason) == ("partial", "1 of 2 fused rankings incomplete: budget")


def test_unscored_ranking_has_no_opinion() -> None:
    failed = ranking(("z", 9.0), ("c", 8.0), status="unscored", reason="no answer")
    fused = fuse.comb_sum([failed, A])
    assert fused.ids == ("a", "b", "z", "c")
    assert result(fused) == {"a": 1.0, "b": 0.5, "c": 0.0, "z": 0.0}
    assert fused.status == "partial"
    nothing = fuse.rrf([failed, failed])
    assert (nothing.status, nothing.ids, result(nothing)) == ("unscored", ("z", "c"), {"z": None, "c": None})


def test_trace_counts_a_shared_prefix_once() -> None:
    shared, own = Call(("a",), (1.0,)), Call(("a",), (1.0,))
    left = Ranking(Query("q", ""), A.candidates, trace=(shared, own))
    right = Ranking(Query("q", ""), B.candidates, trace=(shared,))
    assert fuse.rrf([left, right]).usage.calls == 2


def test_refusals() -> None:
    with pytest.raises(ConfigError, match="at least one ranking"):
        fuse.rrf([])
    with pytest.raises(RankingError, match=r"different queries: \['q', 'other'\]"):
        fuse.rrf([A, ranking(("a", 1.0), query="other")])
    with pytest.raises(ConfigError, match="1 weights for 2 rankings"):
        fuse.borda([A, B], weights=[1.0])
    for weights in ([0.0, 0.0], [-1.0, 2.0], [math.nan, 1.0]):
        with pytest.raises(ConfigError, match="weights must be"):
            fuse.interpolate([A, B], weights)
    with pytest.raises(ConfigError, match="k must be"):
        fuse.rrf([A], k=-1)
    with pytest.raises(ConfigError, match="no normalisation named 'minmax'"):
        fuse.comb_sum([A], normalise="minmax")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="negative scores"):
        fuse.comb_mnz([A, B], normalise="z")
    with pytest.raises(ScoreError, match="ranking 2 of query 'q': document 'x' has the score None"):
        fuse.comb_sum([A, ranking(("x", None))])
    assert fuse.comb_sum([A, ranking(("x", None))], normalise="rank").ids == ("a", "x", "b", "c")


lists = st.lists(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(-1e6, 1e6) | st.just(MISSING)), unique_by=lambda p: p[0]),
    min_size=1,
    max_size=4,
)


@given(lists)
def test_every_document_survives_once_best_first(scored: list[list[tuple[str, float]]]) -> None:
    rankings = [ranking(*one) for one in scored]
    for method in METHODS:
        fused = method(rankings)
        assert sorted(fused.ids) == sorted({i for r in rankings for i in r.ids})
        scores = [c.score for c in fused.candidates if c.score is not None]
        assert scores == sorted(scores, reverse=True)
