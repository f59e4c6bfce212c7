"""Permutation self-consistency: the same schedule from several shuffled starts, and the mean of the results.

Source: Tang et al. 2023, arXiv 2310.07712. The paper takes the Kemeny-optimal order of the results; this is Borda's
mean rank, which needs no solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from ..core.plans import Outcome, Round
from ..core.protocols import Plan, Schedule
from ..core.types import MISSING, Group, Scale, Scores
from ._order import at_least, by_score


@dataclass(frozen=True)
class RepeatOrders:
    """``schedule`` run ``times`` times on shuffled lists, side by side; documents are sorted by their mean rank.

    Scores are mean Borda points (n for the first rank, 1 for the last). A run from which no score has come yet has no
    vote, since its order is only its shuffle. Ties keep first-stage order.
    """

    schedule: Schedule
    times: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, "times", 1)

    @property
    def needs_across(self) -> bool:
        return self.schedule.needs_across

    @property
    def group_size(self) -> int | None:
        return self.schedule.group_size

    def exact_top(self, n: int) -> int:
        return self.schedule.exact_top(n)

    def plan(self, n: int) -> Plan:
        random = Random(self.seed)
        runs = [_Run(self.schedule.plan(n), random.sample(range(n), n)) for _ in range(self.times)]
        for run in runs:
            run.advance(None)
        while waiting := [run for run in runs if run.groups]:
            points = _mean_points(runs, n)
            groups = tuple(group for run in waiting for group in run.groups)
            verdicts = iter((yield Round(groups, tuple(by_score(range(n), points)))))
            for run in waiting:
                run.advance([next(verdicts) for _ in run.groups])
        points = _mean_points(runs, n)
        order = tuple(by_score(range(n), points))
        return Outcome(order, tuple(points), Scale.POINTS) if any(run.heard for run in runs) else Outcome(order)


@dataclass
class _Run:
    """One run under way: where it stands, in positions of the list that was not shuffled."""

    plan: Plan
    shuffle: list[int]
    groups: tuple[Group, ...] = ()
    order: list[int] = field(default_factory=list)
    heard: bool = False

    def advance(self, scores: Sequence[Scores] | None) -> None:
        self.heard = self.heard or any(s != MISSING for group in scores or () for s in group)
        try:
            asked = next(self.plan) if scores is None else self.plan.send(scores)
            self.groups = tuple(tuple(self.shuffle[i] for i in group) for group in asked.groups)
            self.order = [self.shuffle[i] for i in asked.so_far]
        except StopIteration as done:
            self.groups, self.order = (), [self.shuffle[i] for i in done.value.order]


def _mean_points(runs: Sequence[_Run], n: int) -> list[float]:
    votes = [run.order for run in runs if run.heard]
    points = [0.0] * n
    for order in votes:
        for rank, i in enumerate(order):
            points[i] += (n - rank) / len(votes)
    return points
