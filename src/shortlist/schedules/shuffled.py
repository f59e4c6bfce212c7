"""Shuffle the documents inside every group, against position bias.

Source: Zhuang et al. 2025, arXiv 2503.06034 (Rank-R1).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ..core.plans import Outcome, Round
from ..core.protocols import Plan, Schedule
from ..core.types import Group, Scores


@dataclass(frozen=True)
class ShuffledGroups:
    """``schedule`` with the documents of every group shown in random order; it gets their scores in the order it asked.

    The same seed gives the same shuffles. Ties are decided by ``schedule`` as if nothing had been shuffled.
    """

    schedule: Schedule
    seed: int = 0

    @property
    def needs_across(self) -> bool:
        return self.schedule.needs_across

    @property
    def group_size(self) -> int | None:
        return self.schedule.group_size

    def exact_top(self, n: int) -> int:
        return self.schedule.exact_top(n)

    def plan(self, n: int) -> Plan:
        random, plan = Random(self.seed), self.schedule.plan(n)
        try:
            asked = next(plan)
            while True:
                shown = tuple(tuple(random.sample(group, len(group))) for group in asked.groups)
                verdicts = yield Round(shown, asked.so_far)
                asked = plan.send([_back(*one) for one in zip(asked.groups, shown, verdicts, strict=True)])
        except StopIteration as done:
            outcome: Outcome = done.value
            return outcome


def _back(group: Group, shown: Group, scores: Scores) -> Scores:
    score = dict(zip(shown, scores, strict=True))
    return tuple(score[i] for i in group)
