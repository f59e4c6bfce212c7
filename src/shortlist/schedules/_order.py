"""What the schedules share: stable ordering of scored positions, and the check of a parameter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..core.errors import ConfigError
from ..core.types import MISSING, Order, Scores


def by_score(items: Sequence[int], scores: Sequence[float]) -> list[int]:
    """``items`` by descending score; equal scores keep the order they came in, MISSING comes last.

    >>> by_score([7, 8, 9], (1.0, 2.0, 1.0))
    [8, 7, 9]
    """
    return [i for i, _ in sorted(zip(items, scores, strict=True), key=lambda pair: -pair[1])]


def head_first(head: Iterable[int], n: int) -> Order:
    """``head``, then every other position below ``n`` in first-stage order.

    >>> head_first([2], 4)
    (2, 0, 1, 3)
    """
    top = tuple(head)
    settled = set(top)
    return top + tuple(i for i in range(n) if i not in settled)


def any_score(scores: Sequence[float]) -> Scores | None:
    """``scores`` as a tuple, or ``None`` when all are MISSING, since then there are none to report."""
    return tuple(scores) if any(s != MISSING for s in scores) else None


def at_least(schedule: object, name: str, minimum: int) -> None:
    """Raise ConfigError unless the parameter ``name`` of ``schedule`` is a whole number of ``minimum`` or more."""
    value = getattr(schedule, name)
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ConfigError(f"{type(schedule).__name__}: {name} must be a whole number >= {minimum}, got {value!r}")
