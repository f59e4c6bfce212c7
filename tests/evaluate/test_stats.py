"""Tests and intervals against known values, scipy where it is installed, and simulation.

The constants were computed once with scipy 1.17: ttest_1samp(DIFFERENCES, 0), wilcoxon(DIFFERENCES) and
permutation_test over all sign patterns; and the textbook values are named where they stand.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from shortlist.core.errors import ConfigError, InputError, UnknownName
from shortlist.evaluate.stats import (
    CORRECTIONS,
    bootstrap_interval,
    correct,
    permutation_test,
    t_test,
    wilcoxon_test,
)
from shortlist.evaluate.stats.student import incomplete_beta, two_sided

DIFFERENCES = [0.11, -0.02, 0.35, 0.07, -0.13, 0.24, 0.05, 0.18, -0.04, 0.29]


@pytest.mark.parametrize(
    ("t", "freedom", "p"),
    [  # two-sided critical values of printed t tables
        (12.7062, 1, 0.05),
        (4.3027, 2, 0.05),
        (2.2281, 10, 0.05),
        (3.1693, 10, 0.01),
        (2.0423, 30, 0.05),
        (1.9600, 1e7, 0.05),
    ],
)
def test_student_against_tables(t: float, freedom: float, p: float) -> None:
    assert two_sided(t, freedom) == pytest.approx(p, abs=1e-5)
    assert two_sided(-t, freedom) == two_sided(t, freedom)


def test_student_has_closed_forms_for_one_and_two_degrees() -> None:
    for t in (0.1, 1.0, 3.0, 50.0):
        assert two_sided(t, 1) == pytest.approx(1 - 2 / math.pi * math.atan(t), abs=1e-13)
        assert two_sided(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), abs=1e-13)


def test_incomplete_beta_at_its_ends_and_against_sums() -> None:
    assert incomplete_beta(2.0, 3.0, 0.0) == 0.0
    assert incomplete_beta(2.0, 3.0, 1.0) == 1.0
    for x in (0.05, 0.3, 0.77, 0.99):  # a binomial tail
        tail = sum(math.comb(9, k) * x**k * (1 - x) ** (9 - k) for k in range(4, 10))
        assert incomplete_beta(4, 6, x) == pytest.approx(tail, abs=1e-13)


def test_t_test_known_value() -> None:
    assert t_test(DIFFERENCES) == pytest.approx(0.050519413126134234, abs=1e-12)
    assert t_test([-d for d in DIFFERENCES]) == t_test(DIFFERENCES)


def test_t_test_of_constant_differences() -> None:
    assert t_test([0.0, 0.0, 0.0]) == 1.0
    assert t_test([0.1, 0.1, 0.1]) == 0.0
    with pytest.raises(InputError, match="at least 2"):
        t_test([0.1])


def test_against_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    for n in (2, 3, 7, 16, 43, 200, 6980):
        differences = rng.normal(0.01, 0.3, n)
        assert t_test(differences) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=1e-9)
        assert wilcoxon_test(differences) == pytest.approx(
            stats.wilcoxon(differences, method="exact" if n <= 50 else "approx").pvalue, rel=1e-9
        )
    tied = np.round(rng.normal(0, 1, 80), 1)
    assert wilcoxon_test(tied) == pytest.approx(stats.wilcoxon(tied, method="approx").pvalue, rel=1e-9)
    p = rng.random(20)
    for ours, theirs in (("bh", "bh"),):
        assert correct(list(p), ours) == pytest.approx(stats.false_discovery_control(p, method=theirs))


def test_wilcoxon_by_counting_all_signs() -> None:
    values = [0.3, -0.1, 0.7, 0.2, -0.5, 0.9]
    ranks = {abs(v): i for i, v in enumerate(sorted(values, key=abs), 1)}
    observed = sum(ranks[abs(v)] for v in values if v > 0)
    sums = [
        sum(r for r, s in zip(range(1, 7), signs, strict=True) if s) for signs in itertools.product([0, 1], repeat=6)
    ]
    centre = 21 / 2
    expected = sum(abs(s - centre) >= abs(observed - centre) for s in sums) / 64
    assert wilcoxon_test(values) == pytest.approx(expected)
    assert wilcoxon_test([0.0, 0.0]) == 1.0


def test_permutation_is_exact_for_few_queries() -> None:
    total = abs(sum(DIFFERENCES))
    hits = sum(
        abs(sum(s * d for s, d in zip(signs, DIFFERENCES, strict=True))) >= total - 1e-12
        for signs in itertools.product([-1, 1], repeat=10)
    )
    assert permutation_test(DIFFERENCES) == hits / 1024
    assert permutation_test([*DIFFERENCES, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]) == hits / 1024
    assert permutation_test([0.0, 0.0]) == 1.0
    with pytest.raises(InputError):
        permutation_test([])


def test_permutation_samples_with_a_seed_and_never_says_zero() -> None:
    rng = np.random.default_rng(0)
    differences = list(rng.normal(0.05, 0.3, 60))
    first = permutation_test(differences, samples=20_000, seed=1)
    assert first == permutation_test(differences, samples=20_000, seed=1)
    assert first == pytest.approx(t_test(differences), abs=0.02)
    assert permutation_test([1.0] * 40, samples=999) == 1 / 1000


@pytest.mark.parametrize("test", [t_test, wilcoxon_test, lambda d: permutation_test(d, samples=400)])
def test_p_values_are_uniform_when_nothing_differs(test: object) -> None:
    rng = np.random.default_rng(11)
    p = np.array([test(rng.normal(0, 1, 30)) for _ in range(1000)])  # type: ignore[operator]
    for level in (0.05, 0.25, 0.5, 0.75):
        assert np.mean(p <= level) == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) / 1000))


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_intervals_cover_the_true_mean_about_as_often_as_they_say(method: str) -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for i in range(300):
        low, high = bootstrap_interval(rng.beta(2, 5, 50), method=method, samples=600, seed=i)  # type: ignore[arg-type]
        covered += low <= 2 / 7 <= high
    assert 0.89 <= covered / 300 <= 0.99


def test_bca_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    data = np.random.default_rng(2).exponential(1.0, 80)
    theirs = stats.bootstrap((data,), np.mean, n_resamples=20_000, method="BCa", rng=1).confidence_interval
    low, high = bootstrap_interval(data, samples=20_000)
    assert low == pytest.approx(theirs.low, abs=0.01)
    assert high == pytest.approx(theirs.high, abs=0.015)


def test_interval_edges() -> None:
    assert bootstrap_interval([0.3, 0.3]) == (0.3, 0.3)
    assert bootstrap_interval([0.3]) == (0.3, 0.3)
    narrow = bootstrap_interval(DIFFERENCES, confidence=0.5)
    wide = bootstrap_interval(DIFFERENCES, confidence=0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    assert bootstrap_interval(DIFFERENCES, seed=4) == bootstrap_interval(DIFFERENCES, seed=4)
    with pytest.raises(InputError):
        bootstrap_interval([])
    with pytest.raises(ConfigError, match=r"0\.95"):
        bootstrap_interval([1.0, 2.0], confidence=95)
    with pytest.raises(ConfigError, match="known"):
        bootstrap_interval([1.0, 2.0], method="t")  # type: ignore[arg-type]


def test_corrections_by_hand() -> None:
    p = [0.01, 0.04, 0.03, 0.005]
    assert correct(p, "none") == p
    assert correct(p, "bonferroni") == pytest.approx([0.04, 0.16, 0.12, 0.02])
    assert correct(p, "holm") == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert correct(p, "bh") == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert correct([0.9, 0.8], "bonferroni") == [1.0, 1.0]
    assert all(correct([], method) == [] for method in CORRECTIONS)
    with pytest.raises(UnknownName, match="did you mean 'holm'"):
        correct(p, "hulm")
