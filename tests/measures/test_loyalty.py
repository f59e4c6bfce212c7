"""Loyalty by its formulas, by scipy where it is installed, and of runs."""

from __future__ import annotations

import math
import random

import pytest

from shortlist.core.errors import ScoreError
from shortlist.measures.loyalty import label_loyalty, loyalty, probability_loyalty, regression_loyalty

CHANCE = random.Random(0)
TEACHER = [[CHANCE.gauss(0, 2) for _ in range(7)] for _ in range(20)]
STUDENT = [[t + CHANCE.gauss(0, 1) for t in row] for row in TEACHER]


def test_closed_forms() -> None:
    assert label_loyalty([[1, 1, 0]], [[0, 1, 0]]) == 0  # the first of equals
    p, q = (0.75, 0.25), (0.5, 0.5)
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    kl = [sum(a * math.log2(a / m) for a, m in zip(x, middle, strict=True)) for x in (p, q)]
    expected = 1 - math.sqrt(sum(kl) / 2)
    assert probability_loyalty([[math.log(3), 0]], [[0, 0]]) == pytest.approx(expected)
    assert probability_loyalty([[math.log(9), 0]], [[0, 0]], temperature=2) == pytest.approx(expected)
    found = regression_loyalty([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]], [[1.0, 4.0, 9.0], [5.0, 6.0, 7.0]])
    assert found.spearman == 1 and found.pearson == pytest.approx(8 / math.sqrt(2 * 98 / 3))
    assert found.mae == pytest.approx((0 + 2 + 6 + 0 + 1 + 2) / 6)


def test_each_is_highest_for_the_teacher_itself_and_the_mean_of_rows_is_not_the_distance_of_means() -> None:
    same = regression_loyalty(TEACHER, TEACHER)
    assert label_loyalty(TEACHER, TEACHER) == probability_loyalty(TEACHER, TEACHER) == 1
    assert (same.pearson, same.spearman, same.mae) == (pytest.approx(1), pytest.approx(1), 0)
    crossed = [[2.0, 0.0], [0.0, 2.0]], [[0.0, 2.0], [2.0, 0.0]]  # their mean distributions are equal
    assert probability_loyalty(*crossed) < 0.5


def test_as_scipy_has_it() -> None:
    distance = pytest.importorskip("scipy.spatial.distance", reason="scipy is not installed").jensenshannon
    stats = pytest.importorskip("scipy.stats")
    special = pytest.importorskip("scipy.special")
    rounded = [[float(round(x)) for x in row] for row in STUDENT]  # with ties
    pairs = list(zip(TEACHER, rounded, strict=True))
    apart = [distance(special.softmax(t), special.softmax(s), base=2) for t, s in pairs]
    assert probability_loyalty(TEACHER, rounded) == pytest.approx(1 - sum(apart) / len(apart))
    found = regression_loyalty(TEACHER, rounded)
    assert found.pearson == pytest.approx(sum(stats.pearsonr(t, s)[0] for t, s in pairs) / len(pairs))
    assert found.spearman == pytest.approx(sum(stats.spearmanr(t, s)[0] for t, s in pairs) / len(pairs))


def test_runs_are_compared_over_what_both_score() -> None:
    teacher = {"q1": {"a": 3.0, "b": 1.0, "c": float("-inf")}, "q2": {"a": 1.0, "b": 2.0}, "q3": {"a": 1.0}}
    student = {"q1": {"b": 0.0, "a": 5.0, "z": 9.0, "c": 1.0}, "q2": {"b": 0.0, "a": 1.0}, "q4": {"a": 1.0, "b": 2.0}}
    found = loyalty(teacher, student)
    assert (found.label, found.queries, found.documents) == (0.5, 2, 4)
    assert found.regression.pearson == pytest.approx(0)
    assert found.regression.mae == pytest.approx((2 + 1 + 0 + 2) / 4)
    assert found.probability == pytest.approx(probability_loyalty([[3.0, 1.0], [1.0, 2.0]], [[5.0, 0.0], [1.0, 0.0]]))


def test_what_cannot_be_meant_is_refused() -> None:
    for wrong in (
        lambda: label_loyalty([[1, 2]], [[1, 2, 3]]),
        lambda: label_loyalty([], []),
        lambda: regression_loyalty([[1.0, 1.0]], [[1.0, 2.0]]),
        lambda: probability_loyalty([[1, 2]], [[1, 2]], temperature=0),
        lambda: loyalty({"q": {"a": 1.0, "b": 0.0}}, {"p": {"a": 1.0}}),
    ):
        with pytest.raises(ScoreError):
            wrong()
