"""Fisher's paired randomisation test: how often do random signs give a mean difference as large as the observed one?

Assumes only that under the null hypothesis the two runs could be exchanged within each query.
Source: Smucker, Allan and Carterette 2007.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.errors import InputError

EXACT_UP_TO = 16  # 65,536 sign patterns: fewer than the samples that would be drawn otherwise
CHUNK_CELLS = 4_000_000
ROUNDING = 1e-12  # sums of the same numbers in another order differ by rounding and must count as equal


def permutation_test(differences: Sequence[float], *, samples: int = 100_000, seed: int = 0) -> float:
    """Two-sided p value, exact over all sign patterns of up to 16 non-zero differences, else from ``samples`` of them.

    A sampled p is (hits + 1) / (samples + 1), so never 0. Raises InputError without a query.

    >>> permutation_test([0.1, 0.2, 0.3])
    0.25
    """
    if not len(differences):
        raise InputError("a randomisation test needs at least 1 query, there is none")
    values = np.asarray(differences, dtype=np.float64)
    values = values[values != 0.0]  # a sign changes nothing there
    observed = abs(values.sum()) - ROUNDING * np.abs(values).sum()
    if len(values) <= EXACT_UP_TO:
        patterns = np.arange(2 ** len(values))[:, None] >> np.arange(len(values)) & 1
        return float(np.mean(np.abs((2 * patterns - 1) @ values) >= observed))
    rng = np.random.default_rng(seed)
    hits, chunk = 0, max(1, CHUNK_CELLS // len(values))
    for start in range(0, samples, chunk):
        size = (min(chunk, samples - start), len(values))
        signs = rng.integers(0, 2, size=size, dtype=np.int8)
        sums = 2.0 * (signs @ values) - values.sum()
        hits += int(np.count_nonzero(np.abs(sums) >= observed))
    return (hits + 1) / (samples + 1)
