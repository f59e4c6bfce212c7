"""Bootstrap confidence interval of a mean over queries: of one run, or of a paired difference; of one set or several.

Source: Efron 1987 (bias-corrected and accelerated, BCa); percentile is the plain form.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from ...core.errors import ConfigError, InputError

Method = Literal["bca", "percentile"]
CHUNK_CELLS = 4_000_000
NORMAL = NormalDist()


def bootstrap_interval(
    values: Sequence[float],
    *,
    confidence: float = 0.95,
    method: Method = "bca",
    samples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Lower and upper end of the interval for the mean of ``values``, one per query.

    Values that are all equal give an interval of no width. Raises InputError without values, ConfigError for a
    confidence outside (0, 1) or an unknown method.

    >>> low, high = bootstrap_interval([0.0, 1.0] * 50)
    >>> low < 0.5 < high, round(high - low, 1)
    (True, 0.2)
    """
    _check(confidence)
    if method not in ("bca", "percentile"):
        raise ConfigError(f"no bootstrap interval {method!r}; known: bca, percentile")
    data = np.asarray(values, dtype=np.float64)
    if not data.size:
        raise InputError("a confidence interval needs at least 1 query, there is none")
    if np.ptp(data) == 0.0:
        return float(data[0]), float(data[0])
    means = _means(data, samples, seed)
    ends = [(1.0 - confidence) / 2, (1.0 + confidence) / 2]
    if method == "bca":
        ends = _adjusted(data, means, ends)
    low, high = np.quantile(means, ends)
    return float(low), float(high)


def bootstrap_interval_of_sets(
    sets: Sequence[Sequence[float]], *, confidence: float = 0.95, samples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean of the sets' means: queries are drawn within each set, and each set counts alike.

    Where one set has most of the queries, the mean over all queries is nearly its own; this one is not. Raises as
    ``bootstrap_interval``.

    >>> low, high = bootstrap_interval_of_sets([[0.0, 1.0] * 500, [0.0, 0.0]])
    >>> low < 0.25 < high, round(high - low, 1)
    (True, 0.0)
    """
    _check(confidence)
    data = [np.asarray(values, dtype=np.float64) for values in sets]
    if not data or not all(values.size for values in data):
        raise InputError("a confidence interval needs at least 1 query in every set")
    means = np.mean([_means(values, samples, seed + i) for i, values in enumerate(data)], axis=0)
    low, high = np.quantile(means, [(1.0 - confidence) / 2, (1.0 + confidence) / 2])
    return float(low), float(high)


def _check(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ConfigError(f"confidence must lie between 0 and 1, as 0.95 does, not {confidence}")


def _means(data: Any, samples: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    chunk = max(1, CHUNK_CELLS // data.size)
    parts = [
        data[rng.integers(0, data.size, size=(min(chunk, samples - start), data.size), dtype=np.int32)].mean(axis=1)
        for start in range(0, samples, chunk)
    ]
    return np.concatenate(parts)


def _adjusted(data: Any, means: Any, ends: list[float]) -> list[float]:
    """The quantiles that BCa reads instead: shifted by the bias, stretched by the skewness of the data."""
    below = (np.count_nonzero(means < data.mean()) + 0.5 * np.count_nonzero(means == data.mean())) / means.size
    if not 0.0 < below < 1.0:
        return ends
    bias = NORMAL.inv_cdf(float(below))
    deviations = data - data.mean()  # the jackknife of a mean, up to a factor that cancels
    acceleration = float((deviations**3).sum() / (6.0 * (deviations**2).sum() ** 1.5))
    adjusted = []
    for end in ends:
        z = bias + NORMAL.inv_cdf(end)
        adjusted.append(NORMAL.cdf(bias + z / (1.0 - acceleration * z)))
    return adjusted
