"""Pieces of a plan: an ask yields groups without knowing what the order so far is, and returns what it found out."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeVar

from ..core.plans import Round
from ..core.types import Group, Order, Scores

T = TypeVar("T")
Ask = Generator[tuple[Group, ...], Sequence[Scores], T]


def rounds(ask: Ask[T], so_far: Order) -> Generator[Round, Sequence[Scores], T]:
    """The rounds of ``ask``, each with ``so_far`` as the order to fall back on; returns what the ask returns."""
    try:
        groups = next(ask)
        while True:
            groups = ask.send((yield Round(groups, so_far)))
    except StopIteration as done:
        found: T = done.value
        return found


def together(asks: Sequence[Ask[None]]) -> Ask[None]:
    """Advance independent asks in lock-step: one round holds the pending groups of all that still run."""
    pending: list[tuple[Ask[None], tuple[Group, ...]]] = []
    for ask in asks:
        groups = next(ask, None)
        if groups is not None:
            pending.append((ask, groups))
    while pending:
        scores = iter((yield tuple(g for _, groups in pending for g in groups)))
        still = []
        for ask, groups in pending:
            try:
                still.append((ask, ask.send([next(scores) for _ in groups])))
            except StopIteration:
                continue
        pending = still
