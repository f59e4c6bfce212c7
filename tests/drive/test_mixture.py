"""A mixture is the weighted sum of its scaled columns, and says what it could not hear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import Candidate, Document, Query, Ranking, Scale
from shortlist.core.errors import ConfigError
from shortlist.core.types import MISSING, Call
from shortlist.drive import Fallback, Mixture, limited
from shortlist.drive.mixture import columns
from shortlist.pipeline import Stage

WORDS = ("ant", "bee", "cow", "doe", "eel")


def start(*scores: float | None, query: str = "q") -> Ranking:
    """Five documents in first-stage order; scores of the first stage, or none."""
    given = scores or (5.0, 4.0, 3.0, 2.0, 1.0)
    return Ranking(Query(query, "?"), tuple(Candidate(Document(w, w), s) for w, s in zip(WORDS, given, strict=True)))


@dataclass(frozen=True)
class Says(Stage):
    """Scores by table; tells ``parts``; leaves queries in ``deaf`` unscored."""

    scores: Mapping[str, float]
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    deaf: tuple[str, ...] = ()

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        return [self._one(ranking).top(k) for ranking in rankings]

    def _one(self, ranking: Ranking) -> Ranking:
        if ranking.query.id in self.deaf:
            return replace(ranking, status="unscored", reason="I am deaf")
        values = [self.scores[i] for i in ranking.ids]
        parts = {name: tuple(part[i] for i in ranking.ids) for name, part in self.parts.items()}
        call = Call(ranking.ids, tuple(values), parts=parts)
        order = sorted(range(len(values)), key=lambda i: -values[i])
        return ranking.reorder(order, values, scale=Scale.LOGIT, trace=(call,))


def table(*values: float) -> dict[str, float]:
    return dict(zip(WORDS, values, strict=True))


numbers = st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=5, max_size=5)


def scaled(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    return [(v - low) / (high - low) if high > low else 1.0 for v in values]


@given(numbers, numbers, numbers, numbers, st.tuples(*[st.integers(0, 3)] * 4).filter(any))
def test_it_is_the_weighted_sum_of_scaled_columns(
    first: list[float], one: list[float], part: list[float], two: list[float], weights: tuple[int, ...]
) -> None:
    stages = (Says(table(*one), {"length": table(*part)}), Says(table(*two)))
    named = dict(zip(("one", "one.length", "two", "first-stage"), map(float, weights), strict=True))
    (done,) = Mixture(stages, ("one", "two"), named).apply([start(*first)])
    columns = (one, part, two, first)
    expected = [sum(w * scaled(c)[i] for w, c in zip(weights, columns, strict=True)) for i in range(5)]
    assert {c.id: pytest.approx(c.score) for c in done.candidates} == table(*expected)
    assert done.status in ("ranked", "retrieved") and done.scale is Scale.RELATIVE
    scores = [c.score or 0.0 for c in done.candidates]
    assert all(a >= b for a, b in pairwise(scores))


def test_the_first_stage_is_what_came_first_also_behind_another_reranker() -> None:
    before = Says(table(1, 2, 3, 4, 5), {"length": table(0, 0, 0, 0, 9)})
    asked = Says(table(0, 0, 0, 0, 1), {"length": table(3, 1, 1, 1, 1)})
    chain = before >> Mixture((asked,), ("asked",), {"first-stage": 1.0, "asked.length": 0.5})
    (done,) = chain.apply([start()])
    assert done.ids == WORDS, "BM25's order, and the part of the stage in the mixture, not of the one before it"
    assert done.candidates[0].score == pytest.approx(1.5)


def test_what_has_no_weight_is_not_asked() -> None:
    asked: list[str] = []

    @dataclass(frozen=True)
    class Noting(Says):
        def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
            asked.extend(r.query.id for r in rankings)
            return super().apply(rankings, k)

    Mixture((Says(table(1, 2, 3, 4, 5)), Noting(table(1, 2, 3, 4, 5))), ("one", "two"), {"one": 1.0, "two": 0.0}).apply(
        [start()]
    )
    assert asked == []


def test_a_stage_that_fails_a_query_makes_it_partial_and_all_make_it_unscored() -> None:
    deaf, hears = Says(table(5, 4, 3, 2, 1), deaf=("bad",)), Says(table(1, 2, 3, 4, 5))
    good, bad = Mixture((deaf, hears), ("deaf", "hears"), {"deaf": 9.0, "hears": 1.0}).apply(
        [start(query="good"), start(query="bad")]
    )
    assert (good.ids, good.status) == (WORDS, "ranked")
    assert (bad.ids, bad.status) == (WORDS[::-1], "partial") and "I am deaf" in bad.reason
    (alone,) = Mixture((deaf,), ("deaf",), {"deaf": 1.0}).apply([start(query="bad")])
    assert (alone.ids, alone.status) == (WORDS, "unscored") and "I am deaf" in alone.reason


def test_without_first_stage_scores_the_others_decide() -> None:
    mixture = Mixture((Says(table(1, 2, 3, 4, 5)),), ("one",), {"one": 1.0, "first-stage": 5.0})
    (done,) = mixture.apply([start(5.0, 4.0, None, 2.0, 1.0)])
    assert (done.ids, done.status) == (WORDS[::-1], "ranked")
    (nothing,) = Mixture((), (), {"first-stage": 1.0}).apply([start(*[None] * 5)])
    assert (nothing.ids, nothing.status) == (WORDS, "unscored") and "nothing that has a weight" in nothing.reason


def test_a_document_without_a_score_counts_as_the_lowest() -> None:
    (done,) = Mixture((Says(table(1, MISSING, 3, 4, 5)),), ("one",), {"one": 1.0}).apply([start()])
    assert sorted(done.ids) == sorted(WORDS) and set(done.ids[-2:]) == {"ant", "bee"}


def test_calls_are_paid_once_however_many_columns_have_weights() -> None:
    stage = Says(table(1, 2, 3, 4, 5), {"length": table(1, 1, 2, 2, 3), "age": table(0, 1, 0, 1, 0)})
    weights = {"one": 1.0, "one.length": 1.0, "one.age": 1.0, "first-stage": 1.0}
    (done,) = Mixture((stage,), ("one",), weights).apply([start()])
    assert len(done.trace) == 1 and done.usage.calls == 1


@pytest.mark.parametrize(
    ("names", "weights", "message"),
    [
        (("a",), {"a": 1.0}, "2 stages"),
        (("a", "a"), {"a": 1.0}, "none twice"),
        (("a", "first-stage"), {"a": 1.0}, "none twice"),
        (("a", "b.c"), {"a": 1.0}, "a dot"),
        (("a", "b"), {"c": 1.0}, "no stage is called so"),
        (("a", "b"), {"a": -1.0}, "from 0 up"),
        (("a", "b"), {"a": float("nan")}, "from 0 up"),
        (("a", "b"), {"a": 0.0}, "above 0"),
        (("a", "b"), {}, "above 0"),
    ],
)
def test_what_makes_no_mixture_is_refused(names: tuple[str, ...], weights: dict[str, float], message: str) -> None:
    stage = Says(table(1, 2, 3, 4, 5))
    with pytest.raises(ConfigError, match=message):
        Mixture((stage, stage), names, weights)


def test_a_part_that_is_not_told_makes_a_query_partial() -> None:
    stage = Says(table(1, 2, 3, 4, 5), {"length": table(1, 2, 3, 4, 5)})
    (done,) = Mixture((stage,), ("one",), {"one": 1.0, "one.age": 1.0}).apply([start()])
    assert (done.ids, done.status) == (WORDS[::-1], "partial") and "parts not told: one.age" in done.reason


def test_a_fallback_that_tells_parts_for_some_queries_only() -> None:
    first = Says(table(5, 4, 3, 2, 1), {"length": table(1, 2, 3, 4, 9)}, deaf=("bad",))
    chain = Fallback((first, Says(table(1, 2, 3, 4, 5))), ("first", "second"))
    good, bad = Mixture((chain,), ("f",), {"f": 0.1, "f.length": 1.0}).apply([start(query="good"), start(query="bad")])
    assert good.status == "ranked" and good.ids[0] == "eel"
    assert bad.status == "partial" and bad.ids == WORDS[::-1] and "f.length" in bad.reason


def test_a_stage_whose_parts_alone_have_weights_is_heard_when_it_fails() -> None:
    deaf = Says(table(1, 2, 3, 4, 5), {"length": table(1, 2, 3, 4, 5)}, deaf=("bad",))
    (partial,) = Mixture((deaf,), ("one",), {"one.length": 1.0, "first-stage": 0.1}).apply([start(query="bad")])
    assert (partial.ids, partial.status) == (WORDS, "partial") and "I am deaf" in partial.reason
    (nothing,) = Mixture((deaf,), ("one",), {"one.length": 1.0}).apply([start(query="bad")])
    assert (nothing.ids, nothing.status) == (WORDS, "unscored") and "I am deaf" in nothing.reason
    assert [c.score for c in nothing.candidates] == [5.0, 4.0, 3.0, 2.0, 1.0], "with the scores it came with"


@dataclass(frozen=True)
class ByHalves(Stage):
    """Scores a list in several calls; ``groups`` and their ``parts`` may not cover it, or not agree."""

    groups: tuple[tuple[str, ...], ...]
    parts: tuple[tuple[str, ...], ...]

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        calls = tuple(
            Call(group, tuple(range(len(group))), parts={name: tuple(map(float, range(len(group)))) for name in names})
            for group, names in zip(self.groups, self.parts, strict=True)
        )
        return [r.reorder(range(5), [5.0, 4.0, 3.0, 2.0, 1.0], trace=calls) for r in rankings]


@pytest.mark.parametrize(
    ("groups", "parts", "told"),
    [
        ((WORDS[:2], WORDS[2:]), (("a",), ("a",)), True),
        ((WORDS,), (("a", "b"),), True),
        ((WORDS[:2],), (("a",),), False),
        ((WORDS, WORDS[:1]), (("a",), ("a",)), False),
        ((WORDS[:2], WORDS[2:]), (("a",), ("b",)), False),
    ],
)
def test_parts_are_columns_when_every_document_has_them_once(
    groups: tuple[tuple[str, ...], ...], parts: tuple[tuple[str, ...], ...], told: bool
) -> None:
    (one,) = columns([start()], ["s"], [ByHalves(groups, parts)])
    assert ("s.a" in one) == told


def test_a_failed_query_tells_no_parts() -> None:
    """A budget may end after a call: what it said of some documents is no column."""
    call = Call(WORDS, (1.0,) * 5, parts={"a": (1.0, 2.0, 3.0, 4.0, 5.0)})

    @dataclass(frozen=True)
    class Ended(Stage):
        def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
            return [replace(r, status="unscored", reason="no budget", trace=(call,)) for r in rankings]

    (one,) = columns([start()], ["s"], [Ended()])
    assert set(one) == {"s", "first-stage"}


def test_ties_keep_the_order_of_the_first_column_and_k_keeps_a_prefix() -> None:
    stage = Says(table(1, 1, 1, 1, 1), {"length": table(2, 2, 2, 2, 2)})
    mixture = Mixture((stage,), ("one",), {"one": 1.0, "one.length": 1.0})
    assert mixture.rerank([start()])[0].ids == WORDS
    assert mixture.rerank([start()], k=2)[0].ids == WORDS[:2]


def test_a_rerankers_score_is_no_first_stage() -> None:
    without = start(*[None] * 5)
    (said,) = columns(Says(table(1, 2, 3, 4, 5)).apply([without]), [], [])
    assert "first-stage" not in said
    assert "first-stage" in columns([start()], [], [])[0]


def test_limits_reach_the_stages_inside() -> None:
    from shortlist import load
    from shortlist.backends.fake import Oracle
    from shortlist.drive import Budget, budgeted

    mixture = load("mixture", stages=["yes-no", "monot5"], backend=Oracle())
    assert budgeted(mixture)
    inside = limited(mixture, budget=Budget(calls=3)).stages  # type: ignore[attr-defined]
    assert [stage.budget.calls for stage in inside] == [3, 3]
