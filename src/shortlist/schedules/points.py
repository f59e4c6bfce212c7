"""Tournaments in which the survivors of each stage score a point.

Source: Chen et al. 2024, arXiv 2406.11678 (TourRank).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from ..core.errors import ConfigError
from ..core.plans import Outcome, Round
from ..core.protocols import Plan
from ..core.types import MISSING, Scale
from ._order import at_least, by_score

TOURRANK_STAGES = ((20, 50), (10, 20), (20, 10), (10, 5), (5, 2))  # 100 documents -> 50 -> 20 -> 10 -> 5 -> 2


@dataclass(frozen=True)
class PointsTournament:
    """``rounds`` independent tournaments, played side by side; a document's score is the points of all of them.

    stages: (largest group, survivors in all). The documents still in are dealt like cards, best first, into as few
    groups as the largest size allows, so that every group has a fair share of good ones; they are shuffled inside their
    group, each group sends on its share of the survivors (at least one), and these get one point each. For 100
    documents this is the paper's scheme of 13 calls a tournament in 5 steps.

    Other lengths keep the survivors and change the number of groups: 200 documents are 10 groups of 20 that send on 5
    each. A stage that all would survive is skipped, so 20 documents start with the third; a list that would survive
    the last stage whole (two documents) plays for one survivor instead.

    Ties, inside a group and in points, keep first-stage order; the last survivors are tied by design, so no rank is
    exact. Tournaments do not wait for each other: 10 rounds (the paper's best) take 5 steps as well.
    """

    stages: tuple[tuple[int, int], ...] = TOURRANK_STAGES
    rounds: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, "rounds", 1)
        if not self.stages or any(len(stage) != 2 or stage[0] < 2 for stage in self.stages):
            raise ConfigError(
                f"PointsTournament: stages must be pairs (largest group >= 2, survivors), got {self.stages!r}"
            )
        left = [survivors for _, survivors in self.stages]
        if left[-1] < 1 or any(later >= earlier for earlier, later in pairwise(left)):
            raise ConfigError(f"PointsTournament: survivors of the stages must shrink and stay >= 1, got {left}")

    @property
    def needs_across(self) -> bool:
        return False

    @property
    def group_size(self) -> int:
        return max(size for size, _ in self.stages)

    def exact_top(self, n: int) -> int:
        return n if n < 2 else 0

    def plan(self, n: int) -> Plan:
        random, points, heard = Random(self.seed), [0.0] * n, False
        live = [list(range(n)) for _ in range(self.rounds)]
        last_size, last_survivors = self.stages[-1]
        for size, survivors in self.stages if n > last_survivors else ((last_size, 1),):
            dealt = [_deal(documents, size, survivors) for documents in live]
            asked = [tuple(random.sample(g, len(g))) for groups in dealt for g, keep in groups if len(g) > keep]
            if not asked:
                continue
            verdicts = yield Round(tuple(asked), tuple(by_score(range(n), points)))
            heard = heard or any(s != MISSING for scores in verdicts for s in scores)
            answers = (dict(zip(g, scores, strict=True)) for g, scores in zip(asked, verdicts, strict=True))
            live = [sorted(i for g, keep in groups for i in _survivors(g, keep, answers)) for groups in dealt]
            for documents in live:
                for i in documents:
                    points[i] += 1
        order = tuple(by_score(range(n), points))
        return Outcome(order, tuple(points), Scale.POINTS) if heard else Outcome(order)


def _deal(documents: list[int], size: int, survivors: int) -> list[tuple[list[int], int]]:
    """Groups and how many of each go on. The first groups, which hold the better documents, send one more."""
    if len(documents) <= survivors:
        return [(documents, len(documents))]
    count = -(-len(documents) // size)
    share, more = divmod(survivors, count)
    return [(documents[i::count], max(1, share + (i < more))) for i in range(count)]


def _survivors(group: list[int], keep: int, answers: Iterator[dict[int, float]]) -> list[int]:
    if len(group) <= keep:
        return group
    answer = next(answers)
    return by_score(group, [answer[i] for i in group])[:keep]
