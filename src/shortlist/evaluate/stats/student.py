"""Student's paired t-test, with the distribution from the incomplete beta function.

Reasonable for means of many queries although measures are not normally distributed (Sakai 2016; Urbano et al. 2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from ...core.errors import InputError

MAX_STEPS = 20_000  # the fraction needs about sqrt(a + b) of them; reached by nothing below 1e8 queries
TINY = 1e-300
PRECISION = 1e-15
ROUNDING = 1e-12  # differences that vary by less than this share of their size vary by rounding alone


def t_test(differences: Sequence[float]) -> float:
    """Two-sided p value of the hypothesis that the mean of the paired differences is zero.

    Differences that are all zero give 1, differences that are all the same other number 0.
    Raises InputError for fewer than two.

    >>> round(t_test([0.1, 0.2, 0.3]), 6)
    0.07418
    """
    n = len(differences)
    if n < 2:
        raise InputError(f"a t-test needs at least 2 queries, there are {n}")
    mean = fmean(differences)
    spread = math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / (n - 1))
    if spread <= ROUNDING * max(map(abs, differences)):
        return 1.0 if mean == 0.0 else 0.0
    return two_sided(mean / (spread / math.sqrt(n)), n - 1)


def two_sided(t: float, freedom: float) -> float:
    """P(|T| >= |t|) for Student's distribution with ``freedom`` degrees of freedom.

    >>> round(two_sided(2.228, 10), 4)
    0.05
    """
    return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22).

    >>> round(incomplete_beta(2.0, 3.0, 0.5), 12)
    0.6875
    """
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1) / (a + b + 2):  # beyond it the fraction converges slowly and the mirrored one fast
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    front = a * math.log(x) + b * math.log1p(-x) - (math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))
    return math.exp(front) / a / _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """1 + d1/(1 + d2/(1 + ...)) by Lentz's method."""
    value, upper, lower = 1.0, 1.0, 0.0
    for step in range(1, MAX_STEPS):
        m = step // 2
        if step % 2:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        lower = 1.0 / ((1.0 + d * lower) or TINY)
        upper = (1.0 + d / upper) or TINY
        value *= upper * lower
        if abs(upper * lower - 1.0) < PRECISION:
            break
    return value
