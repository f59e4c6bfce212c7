"""Two schedules after each other with the same scorer: the second one only sees the best of the first."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from ..core.plans import Outcome, Round
from ..core.protocols import Plan, Schedule
from ..core.types import Order, Scores
from ._order import at_least


@dataclass(frozen=True)
class Cascade:
    """``first`` over the whole list, then ``then`` over its best ``keep``; the others stay below.

    Meaningful where one scorer serves both: a cheap schedule that brings the good ones up and a dear one that sorts
    them, such as ``Cascade(EliminationTournament(k=20), AllPairs(), keep=20)``. Longer cascades nest. A cascade of
    *different* scorers is a pipeline: ``a % 30 >> b``. The result's scores are rank-derived, since two schedules'
    scores do not mix. The documents below ``keep`` stay in the order of ``first``.
    """

    first: Schedule
    then: Schedule
    keep: int

    def __post_init__(self) -> None:
        at_least(self, "keep", 1)

    @property
    def needs_across(self) -> bool:
        return self.first.needs_across or self.then.needs_across

    @property
    def group_size(self) -> int | None:
        first, then = self.first.group_size, self.then.group_size
        then = self.keep if then is None else then
        return None if first is None else max(first, then)

    def exact_top(self, n: int) -> int:
        kept = min(self.keep, n)
        first, then = self.first.exact_top(n), self.then.exact_top(kept)
        return first if min(first, then) >= kept else min(first, then)

    def plan(self, n: int) -> Plan:
        outcome = yield from self.first.plan(n)
        kept, rest = outcome.order[: self.keep], outcome.order[self.keep :]
        order = yield from _on(kept, rest, self.then.plan(len(kept)))
        return Outcome((*order, *rest))


def _on(kept: Order, rest: Order, plan: Plan) -> Generator[Round, Sequence[Scores], Order]:
    """Run ``plan``, which counts from 0, on the positions ``kept``; returns these in their new order."""
    try:
        asked = next(plan)
        while True:
            groups = tuple(tuple(kept[i] for i in group) for group in asked.groups)
            asked = plan.send((yield Round(groups, (*(kept[i] for i in asked.so_far), *rest))))
    except StopIteration as done:
        outcome: Outcome = done.value
        return tuple(kept[i] for i in outcome.order)
