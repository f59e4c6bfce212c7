"""What a schedule says and ends with: rounds of groups, and an outcome."""

from __future__ import annotations

from dataclasses import dataclass

from .types import Group, Order, Scale, Scores


@dataclass(frozen=True, slots=True)
class Round:
    """Groups that may be scored in parallel, and the order to return if nothing more is scored."""

    groups: tuple[Group, ...]
    so_far: Order


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a schedule ends with.

    scores: one per position, when the schedule has real ones; ``None`` means rank-derived.
    scale: of those scores; ``None`` means the scorer's own scale.
    """

    order: Order
    scores: Scores | None = None
    scale: Scale | None = None
