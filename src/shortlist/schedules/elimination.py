"""Tournament sort with remembered matches. Source: Yoon et al. 2024, arXiv 2402.15838 (ListT5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from ..core.errors import ConfigError
from ..core.plans import Outcome, Round
from ..core.protocols import Plan
from ..core.types import Group, Scores
from ._order import at_least, by_score, head_first


@dataclass(frozen=True)
class EliminationTournament:
    """Groups of ``size``; the best ``survivors`` of each go up a level, until one group is left with the winner.

    The winner leaves, its place stays empty, and the tournament is played again, ``k`` times; a match between the same
    documents is remembered, so that a repeat costs only the matches on the winner's way up. The matches of one level
    are one round. Groups are shown in first-stage order. ``size=5`` with 1 or 2 survivors is ListT5 (r=1, r=2). The
    rest keeps first-stage order.

    fill: a group with empty places is filled up with the first documents that are not in it and have not won, for
    models that know only lists of ``size``. They are only seen: unlike the authors' dummies they cannot win there.
    """

    size: int = 5
    survivors: int = 1
    k: int = 10
    fill: bool = False

    def __post_init__(self) -> None:
        for name, minimum in (("size", 2), ("survivors", 1), ("k", 1)):
            at_least(self, name, minimum)
        if 2 * self.survivors > self.size:
            raise ConfigError(
                f"EliminationTournament: {self.survivors} survivors of a group of {self.size}; a group must hold the "
                "survivors of at least two others, or the tournament never ends"
            )

    @property
    def needs_across(self) -> bool:
        return False

    @property
    def group_size(self) -> int:
        return self.size

    def exact_top(self, n: int) -> int:
        return min(self.k, n)

    def plan(self, n: int) -> Plan:
        leaves = [list(range(i, min(i + self.size, n))) for i in range(0, n, self.size)]
        played: dict[frozenset[int], list[int]] = {}
        top: list[int] = []
        while len(top) < min(self.k, n):
            level = leaves
            while True:
                groups = [g for g in level if len(g) > 1 and frozenset(g) not in played]
                if groups:
                    matches = tuple(self._shown(g, top, n) for g in groups)
                    _record(played, groups, matches, (yield Round(matches, head_first(top, n))))
                ranked = [played[frozenset(g)] if len(g) > 1 else g for g in level]
                if len(level) == 1:
                    break
                level = self._next_level(ranked)
            winner = ranked[0][0]
            top.append(winner)
            leaves = [[i for i in leaf if i != winner] for leaf in leaves]
        return Outcome(head_first(top, n))

    def _shown(self, group: list[int], top: Sequence[int], n: int) -> Group:
        others = (i for i in range(n) if i not in group and i not in top)
        added = islice(others, self.size - len(group)) if self.fill else ()
        return tuple(sorted([*group, *added]))

    def _next_level(self, ranked: Sequence[list[int]]) -> list[list[int]]:
        together = self.size // self.survivors
        up = [group[: self.survivors] for group in ranked]
        return [[i for group in up[j : j + together] for i in group] for j in range(0, len(up), together)]


def _record(
    played: dict[frozenset[int], list[int]],
    groups: Sequence[list[int]],
    matches: Sequence[Group],
    verdicts: Sequence[Scores],
) -> None:
    for group, match, scores in zip(groups, matches, verdicts, strict=True):
        played[frozenset(group)] = [i for i in by_score(match, scores) if i in group]
