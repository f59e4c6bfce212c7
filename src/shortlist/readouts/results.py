"""The readings that every readout ends with, and the little arithmetic that keeps scores finite."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence

from ..core.exchange import Reading
from ..core.types import MISSING, Repair


def repairs_of(counts: Mapping[str, int]) -> tuple[Repair, ...]:
    """One repair per kind that happened, in the order of ``counts``."""
    return tuple(Repair(kind, count) for kind, count in counts.items() if count > 0)


def invalid(n: int, kind: str, repairs: Iterable[Repair] = (), detail: str = "") -> Reading:
    """Nothing usable was said: every document MISSING (so that any schedule keeps the order it has)."""
    return Reading((MISSING,) * n, (*repairs, Repair(kind, detail=detail)), valid=False)


def ranked(order: Sequence[int]) -> tuple[float, ...]:
    """Scores n, n-1, ..., 1 along ``order`` (positions, best first), in presentation order.

    >>> ranked((2, 0, 1))
    (2.0, 1.0, 3.0)
    """
    scores = [0.0] * len(order)
    for rank, position in enumerate(order):
        scores[position] = float(len(order) - rank)
    return tuple(scores)


def best_first(scores: Sequence[float]) -> list[int]:
    """Positions by falling score, equal scores in presentation order."""
    return sorted(range(len(scores)), key=lambda i: -scores[i])


def finite(value: object) -> float | None:
    """``value`` as a finite float, or None when it is not one (NaN, infinite, no number)."""
    if not hasattr(value, "__float__"):  # text is not a number here, though float() would read it
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def bounded(value: float) -> float:
    """``value`` kept inside the range of finite floats."""
    return max(-sys.float_info.max, min(sys.float_info.max, value))


def softmax(values: Sequence[float]) -> list[float]:
    """Shares of ``exp(value)``; safe for any finite values."""
    if not values:
        return []
    top = max(values)
    weights = [math.exp(max(bounded(v - top), -1e6)) for v in values]
    total = math.fsum(weights)
    return [w / total for w in weights]
