"""Random partitions into groups, scored several times and averaged. Source: arXiv 2511.11653 (GroupRank)."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ..core.plans import Outcome, Round
from ..core.protocols import Plan
from ..core.types import MISSING, Group
from ._order import any_score, at_least, by_score


@dataclass(frozen=True)
class RepeatShuffled:
    """``times`` shuffled partitions into groups of at most ``size``, all in one round; a document's score is its mean.

    Only calls that scored a document count in its mean (missing is not zero); without any it sorts last. Groups are as
    equal in size as can be, so 21 documents are groups of 11 and 10, not of 20 and 1. Ties keep first-stage order. The
    scores must be comparable between calls: ratings, not ranks. GroupRank's share for the first stage's score is a
    fusion of rankings.
    """

    size: int = 20
    times: int = 2  # the authors' command line; their best result has 6
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, "size", 1)
        at_least(self, "times", 1)

    @property
    def needs_across(self) -> bool:
        return True

    @property
    def group_size(self) -> int:
        return self.size

    def exact_top(self, n: int) -> int:
        return n

    def plan(self, n: int) -> Plan:
        if not n:
            return Outcome(())
        random = Random(self.seed)
        groups: list[Group] = []
        for _ in range(self.times):
            shuffled = random.sample(range(n), n)
            count = -(-n // self.size)
            groups += [tuple(shuffled[i::count]) for i in range(count)]
        verdicts = yield Round(tuple(groups), tuple(range(n)))
        got: list[list[float]] = [[] for _ in range(n)]
        for group, scores in zip(groups, verdicts, strict=True):
            for i, score in zip(group, scores, strict=True):
                if score != MISSING:
                    got[i].append(score)
        means = [sum(scores) / len(scores) if scores else MISSING for scores in got]
        return Outcome(tuple(by_score(range(n), means)), any_score(means))
