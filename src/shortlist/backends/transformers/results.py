"""The sharing of a call's time among its requests."""

from __future__ import annotations

from collections.abc import Sequence


def shared_seconds(seconds: float, computed: Sequence[int]) -> list[float]:
    """The seconds of one call, divided by the tokens that each request made the model compute.

    >>> shared_seconds(3.0, [10, 20])
    [1.0, 2.0]
    """
    total = sum(computed) or 1
    return [round(seconds * part / total, 6) for part in computed]
