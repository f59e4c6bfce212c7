"""Tournaments in which the survivors of each stage score a point.

Source: Chen et al. 2024, arXiv 2406.11678 (TourRank).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ..core.errors import ConfigError
from ..core.protocols import Plan
from ..core.types import MISSING, Group, Outcome, Round, Scale
from ._order import at_least, by_score

TOURRANK_STAGES = ((20, 10), (10, 4), (20, 10), (10, 5), (5, 2))  # 100 documents -> 50 -> 20 -> 10 -> 5 -> 2


@dataclass(frozen=True)
class PointsTournament:
    """``rounds`` independent tournaments, played side by side; a document's score is the points of all of them.

    stages: (largest group, survivors of each group). The documents still in are dealt like cards, best first, into as
    few groups as keep within the largest size, so that every group has a fair share of good ones; they are shuffled
    inside their group, and the survivors get one point each. For 100 documents this is the paper's scheme of 13 calls a
    tournament in 5 steps. It scales to every n by the number of groups (200 documents: 10 groups of 20 instead of 5,
    and 4 left at the end); a group that is no larger than its number of survivors passes without a call, so short lists
    skip stages and two documents are never compared by the default stages.

    Ties, inside a group and in points, keep first-stage order; the last survivors are tied by design. More rounds are
    more points: 10 is the paper's best, 2 cost about as much as a sliding window over long documents. No rank is exact.
    """

    stages: tuple[tuple[int, int], ...] = TOURRANK_STAGES
    rounds: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, "rounds", 1)
        for stage in self.stages:
            if len(stage) != 2 or not 1 <= stage[1] < stage[0]:
                raise ConfigError(f"PointsTournament: a stage is (group size, fewer survivors >= 1), got {stage!r}")
        if not self.stages:
            raise ConfigError("PointsTournament: stages is empty; at least one (group size, survivors) is needed")

    @property
    def needs_across(self) -> bool:
        return False

    @property
    def group_size(self) -> int:
        return max(size for size, _ in self.stages)

    def exact_top(self, n: int) -> int:
        return min(n, 1) if n < 2 else 0

    def plan(self, n: int) -> Plan:
        random = Random(self.seed)
        everything, points, heard = range(n), [0.0] * n, False
        live = [list(everything) for _ in range(self.rounds)]
        for size, keep in self.stages:
            dealt = [_deal(documents, size) for documents in live]
            asked = [_shuffled(group, random) for groups in dealt for group in groups if len(group) > keep]
            verdicts = iter((yield Round(tuple(asked), tuple(by_score(everything, points)))) if asked else ())
            shown = iter(asked)
            live = []
            for groups in dealt:
                survivors: list[int] = []
                for group in groups:
                    if len(group) > keep:
                        scores = dict(zip(next(shown), next(verdicts), strict=True))
                        heard = heard or any(s != MISSING for s in scores.values())
                        group = by_score(group, [scores[i] for i in group])[:keep]
                    survivors += group
                for i in survivors:
                    points[i] += 1
                live.append(sorted(survivors))
        order = tuple(by_score(everything, points))
        return Outcome(order, tuple(points), Scale.POINTS) if heard else Outcome(order)


def _deal(documents: list[int], size: int) -> list[list[int]]:
    count = -(-len(documents) // size)
    return [documents[i::count] for i in range(count)]


def _shuffled(group: list[int], random: Random) -> Group:
    return tuple(random.sample(group, len(group)))
