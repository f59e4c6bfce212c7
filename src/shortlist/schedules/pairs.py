"""Every pair of documents.

Sources: Qin et al. 2023, arXiv 2306.17563 (PRP-Allpair); Pradeep et al. 2021, arXiv 2101.05667 (duoT5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from ..core.errors import ConfigError
from ..core.plans import Outcome, Round
from ..core.protocols import Plan
from ..core.types import MISSING, Group, Scale, Scores
from ._order import by_score


@dataclass(frozen=True)
class AllPairs:
    """n(n-1) groups of two in one round (half as many without ``both_orders``); a document's score is what it won.

    points: ``"wins"`` counts a pair once: 1 for the document that wins in both orders, 0.5 for each when the answers
    disagree or are equal (PRP). ``"sum"`` adds the scores themselves (duoT5's probabilities), for which they must mean
    the same in every group; a document that got no score in some pairs has its mean in their place. Ties keep
    first-stage order.
    """

    both_orders: bool = True
    points: Literal["wins", "sum"] = "wins"

    def __post_init__(self) -> None:
        if self.points not in ("wins", "sum"):
            raise ConfigError(f"AllPairs: points must be 'wins' or 'sum', got {self.points!r}")

    @property
    def needs_across(self) -> bool:
        return self.points == "sum"

    @property
    def group_size(self) -> int:
        return 2

    def exact_top(self, n: int) -> int:
        return n

    def plan(self, n: int) -> Plan:
        everything = tuple(range(n))
        if n < 2:
            return Outcome(everything)
        groups: list[Group] = []
        for a, b in combinations(everything, 2):
            groups += [(a, b), (b, a)] if self.both_orders else [(a, b)]
        verdicts = yield Round(tuple(groups), everything)
        if all(s == MISSING for pair in verdicts for s in pair):
            return Outcome(everything)
        points = self._wins(n, groups, verdicts) if self.points == "wins" else _sums(n, groups, verdicts)
        return Outcome(tuple(by_score(everything, points)), tuple(points), Scale.POINTS)

    def _wins(self, n: int, groups: Sequence[Group], verdicts: Sequence[Scores]) -> list[float]:
        points = [0.0] * n
        asked = 2 if self.both_orders else 1
        for i in range(0, len(groups), asked):
            winners = {_winner(groups[j], verdicts[j]) for j in range(i, i + asked)}
            winner = winners.pop() if len(winners) == 1 else None
            for document in groups[i]:
                points[document] += 0.5 if winner is None else float(document == winner)
        return points


def _winner(pair: Group, scores: Scores) -> int | None:
    return None if scores[0] == scores[1] else pair[scores[1] > scores[0]]


def _sums(n: int, groups: Sequence[Group], verdicts: Sequence[Scores]) -> list[float]:
    got: list[list[float]] = [[] for _ in range(n)]
    for pair, scores in zip(groups, verdicts, strict=True):
        for document, score in zip(pair, scores, strict=True):
            if score != MISSING:
                got[document].append(score)
    shown = 2 * len(groups) / n
    return [sum(scores) / len(scores) * shown if scores else MISSING for scores in got]
