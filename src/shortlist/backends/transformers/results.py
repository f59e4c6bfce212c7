"""What a likelihood question is answered with, and the sharing of a call's time among its requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...core.types import Usage


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How probable a continuation is: ``value`` is the sum of the log-probabilities (natural, at most 0) of its
    ``tokens`` tokens; the end-of-sequence token counts when it was asked for."""

    value: float
    tokens: int
    usage: Usage = Usage(calls=1)  # noqa: RUF009

    @property
    def mean(self) -> float:
        """Per token; 0.0 for an empty continuation."""
        return self.value / self.tokens if self.tokens else 0.0


def shared_seconds(seconds: float, computed: Sequence[int]) -> list[float]:
    """The seconds of one call, divided by the tokens that each request made the model compute.

    >>> shared_seconds(3.0, [10, 20])
    [1.0, 2.0]
    """
    total = sum(computed) or 1
    return [round(seconds * part / total, 6) for part in computed]
