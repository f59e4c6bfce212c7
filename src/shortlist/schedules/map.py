"""Every document alone (pointwise), or in fixed chunks, and one sort over all scores."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.plans import Outcome, Round
from ..core.protocols import Plan
from ._order import any_score, at_least, by_score


@dataclass(frozen=True)
class Map:
    """Chunks of ``size`` in first-stage order, all in one round; scores are compared across chunks.

    ``size=1`` is pointwise. Larger chunks suit scorers that read several documents at once and still give absolute
    scores (GLiClass reads 25 labels a pass). Ties keep first-stage order; a document without a score sorts last.
    """

    size: int = 1

    def __post_init__(self) -> None:
        at_least(self, "size", 1)

    @property
    def needs_across(self) -> bool:
        return True

    @property
    def group_size(self) -> int:
        return self.size

    def exact_top(self, n: int) -> int:
        return n

    def plan(self, n: int) -> Plan:
        everything = tuple(range(n))
        if not n:
            return Outcome(())
        verdicts = yield Round(tuple(everything[i : i + self.size] for i in range(0, n, self.size)), everything)
        scores = [score for group in verdicts for score in group]
        return Outcome(tuple(by_score(everything, scores)), any_score(scores))
