"""Weights that are learned: towards what the judgements say, not without need, the same every time."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from shortlist import Candidate, Query, Ranking, Scale
from shortlist.core.errors import ConfigError, InputError
from shortlist.core.types import Document
from shortlist.drive.mixture import mixed
from shortlist.evaluate import evaluate
from shortlist.formats.graded import graded
from shortlist.train import mixture
from shortlist.train.mixture import Judged, cross_fitted, fit

DOCUMENTS = 12


def column(ranking: Ranking, values: Sequence[float]) -> Ranking:
    order = sorted(range(len(values)), key=lambda i: -values[i])
    return ranking.reorder(order, values, scale=Scale.UNKNOWN)


def queries(count: int, *, truth: Sequence[float], seed: int = 0, judged: bool = True) -> list[Judged]:
    """Columns ``a``, ``b`` and ``c`` of chance; the three best by the sum with weights ``truth`` are relevant."""
    chance, made = random.Random(seed), []
    for number in range(count):
        values = {name: [chance.random() for _ in range(DOCUMENTS)] for name in "abc"}
        sums = [sum(w * values[n][i] for w, n in zip(truth, "abc", strict=True)) for i in range(DOCUMENTS)]
        best = sorted(range(DOCUMENTS), key=lambda i: -sums[i])[:3]
        documents = [Document(f"d{i}", "") for i in range(DOCUMENTS)]
        if judged:
            documents = [graded(d, int(i in best)) for i, d in enumerate(documents)]
        ranking = Ranking(Query(f"q{seed}-{number}", f"what is {seed} {number}"), tuple(map(Candidate, documents)))
        made.append(Judged(ranking, {name: column(ranking, values[name]) for name in "abc"}))
    return made


def quality(judged: Sequence[Judged], weights: dict[str, float]) -> float:
    rankings = [mixed(one.ranking, one.columns, weights) for one in judged]
    grades = {r.query.id: {c.id: int(c.document.metadata["grade"]) for c in r.candidates} for r in rankings}
    return float(next(iter(evaluate(rankings, grades, "nDCG@3").means.values())))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_weights_that_made_the_judgements_are_found(seed: int) -> None:
    found = fit(queries(150, truth=(0.2, 1.0, 0.0), seed=seed), strength=0.1)
    assert found.loss < found.before
    assert found.weights["b"] > 3 * found.weights["a"] > 0 and found.weights["c"] < 0.1 * found.weights["b"]
    others = queries(60, truth=(0.2, 1.0, 0.0), seed=seed + 10)
    assert quality(others, dict(found.weights)) > 0.95 > 0.7 > quality(others, {"a": 1.0})


def test_what_needs_no_other_columns_keeps_the_first_alone() -> None:
    weights = fit(queries(40, truth=(1.0, 0.0, 0.0))).weights
    assert weights["a"] > 10 * max(weights["b"], weights["c"])


def test_a_strong_penalty_and_few_queries_keep_what_one_has() -> None:
    few = queries(6, truth=(0.0, 1.0, 0.0))
    assert fit(few, strength=10_000).weights == pytest.approx({"a": 1.0, "b": 0.0, "c": 0.0}, abs=0.01)
    shares = [w["b"] / sum(w.values()) for w in (fit(few, strength=s).weights for s in (100.0, 10.0, 1.0))]
    assert shares == sorted(shares) and shares[0] < 0.5 < shares[-1]


def test_a_column_that_orders_backwards_gets_nothing() -> None:
    found = fit(queries(60, truth=(1.0, 0.0, -1.0)))
    assert found.weights["c"] == 0 < found.weights["a"]
    against_all = fit(queries(60, truth=(-1.0, -1.0, -1.0)))
    assert any(against_all.weights.values()), "a mixture of nothing would be no ranking"


def test_the_gradient_is_the_slope() -> None:
    table, there, aims = mixture._tables(queries(5, truth=(1.0, 1.0, 0.0)), "abc")
    there[0, 5:], aims[0] = False, np.eye(1, DOCUMENTS)[0]  # a shorter list, its first document relevant
    weights, step = np.array([0.7, 0.2, 0.4]), 1e-6
    slope = mixture._loss(table, there, aims, weights, 1.0)[1]
    for i in range(3):
        up, down = weights.copy(), weights.copy()
        up[i] += step
        down[i] -= step
        numbers = [mixture._loss(table, there, aims, w, 1.0)[0] for w in (up, down)]
        assert slope[i] == pytest.approx((numbers[0] - numbers[1]) / (2 * step), rel=1e-4)


def test_the_loss_is_cross_entropy_over_the_list() -> None:
    (one,) = queries(1, truth=(1.0, 0.0, 0.0))
    value = mixture._loss(*mixture._tables([one], "a"), np.array([2.0]), 1.5)[0]
    scores = {c.id: c.score or 0.0 for c in one.columns["a"].candidates}
    low, high = min(scores.values()), max(scores.values())
    powers = {i: math.exp(3.0 * (s - low) / (high - low)) for i, s in scores.items()}
    relevant = [c.id for c in one.ranking.candidates if c.document.metadata["grade"]]
    assert value == pytest.approx(-sum(math.log(powers[i] / sum(powers.values())) for i in relevant) / 3)


def test_every_query_is_ranked_by_weights_that_do_not_know_it() -> None:
    judged = queries(30, truth=(0.5, 1.0, 0.0), seed=4)
    turned = [one for one in judged if one.ranking.query.id == "q4-7"]
    (place,) = [i for i, one in enumerate(judged) if one is turned[0]]
    other = Judged(queries(1, truth=(-1.0, -1.0, 1.0), seed=9)[0].ranking, judged[place].columns)
    swapped = Ranking(judged[place].ranking.query, other.ranking.candidates)
    changed = [*judged[:place], Judged(swapped, judged[place].columns), *judged[place + 1 :]]
    before, after = cross_fitted(judged)[place], cross_fitted(changed)[place]
    assert before.ids == after.ids and [c.score for c in before.candidates] == [c.score for c in after.candidates]
    assert any(a.ids != b.ids or a.candidates != b.candidates
               for i, (a, b) in enumerate(zip(cross_fitted(judged), cross_fitted(changed), strict=True))
               if i != place), "its judgements do count for the others"  # fmt: skip


def test_the_order_of_the_queries_does_not_matter() -> None:
    judged = queries(25, truth=(0.3, 1.0, 0.2), seed=5)
    there, back = cross_fitted(judged), cross_fitted(judged[::-1])[::-1]
    assert [r.query.id for r in there] == [one.ranking.query.id for one in judged] == [r.query.id for r in back]
    assert [r.ids for r in there] == [r.ids for r in back]
    assert fit(judged).weights == pytest.approx(fit(judged[::-1]).weights, abs=0.002)


def test_a_query_that_was_not_scored_is_not_learned_from() -> None:
    judged = queries(30, truth=(0.3, 1.0, 0.0), seed=6)
    whole = fit([one for i, one in enumerate(judged) if i not in (0, 7)])
    first = replace(judged[0].columns["b"], status="unscored", reason="dead")
    judged[0] = Judged(judged[0].ranking, {**judged[0].columns, "b": first})
    judged[7] = Judged(judged[7].ranking, {name: judged[7].columns[name] for name in "ac"})
    found = fit(judged)
    assert found.queries == 28 and found.weights == whole.weights
    silent = [Judged(o.ranking, {**o.columns, "a": replace(o.columns["a"], status="unscored")}) for o in judged]
    with pytest.raises(InputError, match="queries were scored"):
        fit(silent)
    one = [silent[0], *judged[1:]]
    assert list(fit(one).weights) == ["a", "b", "c"], "the first column is the baseline, whoever came first"


def test_a_column_that_few_queries_have_is_left_out() -> None:
    judged = [
        Judged(one.ranking, {name: column for name, column in one.columns.items() if name != "b" or i < 4})
        for i, one in enumerate(queries(10, truth=(1.0, 1.0, 0.0)))
    ]
    found = fit(judged)
    assert set(found.weights) == {"a", "c"} and found.queries == 10


def test_grades_are_gains_and_junk_is_no_loss() -> None:
    (one,) = queries(1, truth=(1.0, 0.0, 0.0))
    grades = [3, 1, -2, *[0] * (DOCUMENTS - 3)]
    kept = [replace(c, document=graded(c.document, g)) for c, g in zip(one.ranking.candidates, grades, strict=True)]
    aims = mixture._tables([Judged(replace(one.ranking, candidates=tuple(kept)), one.columns)], "a")[2]
    assert aims[0].tolist() == [0.75, 0.25, *[0.0] * (DOCUMENTS - 2)]


def test_padding_and_missing_scores_count_as_nothing() -> None:
    first, second = queries(2, truth=(1.0, 0.0, 0.0))
    short = replace(first.ranking, candidates=first.ranking.candidates[:5])
    deaf = replace(first.columns["a"].candidates[0], score=-math.inf)
    own = {"a": replace(first.columns["a"], candidates=(deaf, *first.columns["a"].candidates[1:]))}
    cut = Judged(short, {"a": replace(own["a"], candidates=tuple(c for c in own["a"].candidates if c.id in short.ids))})
    table, there, aims = mixture._tables([cut, Judged(second.ranking, {"a": second.columns["a"]})], "a")
    assert there.sum(axis=1).tolist() == [5, DOCUMENTS] and np.isfinite(table).all() and not table[0, 5:].any()
    aims[0] = np.eye(1, DOCUMENTS)[0]
    alone = mixture._loss(table[:1, :5], there[:1, :5], aims[:1, :5], np.array([2.0]), 3.0)[0]
    assert mixture._loss(table[:1], there[:1], aims[:1], np.array([2.0]), 3.0)[0] == pytest.approx(alone)


def test_the_penalty_weighs_less_the_more_queries_there_are() -> None:
    few, many = (fit(queries(n, truth=(0.0, 1.0, 0.0), seed=3), strength=30).weights for n in (8, 120))
    assert few["b"] < 0.6 * many["b"]


def test_the_sharpness_is_learned_so_that_before_and_after_compare() -> None:
    judged = queries(20, truth=(0.0, 1.0, 0.0))
    held = fit(judged, strength=1e9)
    assert held.weights == pytest.approx({"a": 1.0, "b": 0.0, "c": 0.0}, abs=1e-3)
    assert held.loss == pytest.approx(held.before, abs=0.01), "the same weights, the same loss"
    assert fit(judged, strength=0.1).loss < held.before - 0.3


def test_two_spellings_of_a_query_are_in_one_fold() -> None:
    judged = queries(12, truth=(1.0, 0.5, 0.0))
    asked = [replace(one.ranking.query, text=f"Question {i // 2}{'?' * (i % 2)}") for i, one in enumerate(judged)]
    named = [Judged(replace(o.ranking, query=q), o.columns) for o, q in zip(judged, asked, strict=True)]
    before = cross_fitted(named, folds=3)
    turned = Judged(replace(queries(1, truth=(-1.0, -1.0, 1.0), seed=9)[0].ranking, query=asked[1]), named[1].columns)
    after = cross_fitted([named[0], turned, *named[2:]], folds=3)
    assert [c.score for c in before[0].candidates] == [c.score for c in after[0].candidates]
    with pytest.raises(InputError):
        cross_fitted([Judged(replace(o.ranking, query=asked[0]), o.columns) for o in judged], folds=3)


def test_too_little_to_learn_from_is_said() -> None:
    with pytest.raises(InputError, match=r"1 of 4 queries were scored and have a relevant .* use the candidates' ids"):
        fit([*queries(1, truth=(1.0, 0.0, 0.0)), *queries(3, truth=(1.0, 0.0, 0.0), seed=1, judged=False)])
    with pytest.raises(ConfigError, match="strength=-1"):
        fit(queries(3, truth=(1.0, 0.0, 0.0)), strength=-1)
    with pytest.raises(ConfigError, match="folds=1"):
        cross_fitted(queries(3, truth=(1.0, 0.0, 0.0)), folds=1)
