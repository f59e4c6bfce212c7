"""Wilcoxon's signed-rank test: do the positive differences outrank the negative ones?

It tests the median of symmetric differences rather than the mean, which is what measures are reported by; prefer the
t-test or the randomisation test (Smucker et al. 2007 advise against it). Zero differences are left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist

EXACT_UP_TO = 50


def wilcoxon_test(differences: Sequence[float]) -> float:
    """Two-sided p value; exact up to 50 non-zero differences of distinct size, else the normal approximation.

    >>> wilcoxon_test([1.0, 2.0, 3.0, 4.0, 5.0])
    0.0625
    """
    values = sorted((d for d in differences if d != 0.0), key=abs)
    n = len(values)
    if n == 0:
        return 1.0
    ties = Counter(map(abs, values))
    if n <= EXACT_UP_TO and len(ties) == n:
        smaller = min(_rank_sum(values, positive=True), _rank_sum(values, positive=False))
        return min(1.0, 2.0 * _count_up_to(n, int(smaller)) / float(2**n))
    correction = sum(count**3 - count for count in ties.values()) / 48
    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24 - correction)
    z = (_rank_sum(values, positive=True) - n * (n + 1) / 4) / spread
    return min(1.0, 2.0 * NormalDist().cdf(-abs(z)))


def _rank_sum(by_size: Sequence[float], *, positive: bool) -> float:
    """Sum of the ranks (from 1, mean rank for equal sizes) of the differences of one sign."""
    total, start = 0.0, 0
    for i in range(1, len(by_size) + 1):
        if i == len(by_size) or abs(by_size[i]) != abs(by_size[start]):
            total += sum((d > 0) == positive for d in by_size[start:i]) * (start + 1 + i) / 2
            start = i
    return total


def _count_up_to(n: int, limit: int) -> int:
    """How many subsets of the ranks 1..n have a sum of at most ``limit``."""
    ways = [1] + [0] * limit
    for rank in range(1, n + 1):
        for total in range(limit, rank - 1, -1):
            ways[total] += ways[total - rank]
    return sum(ways)
