"""Partition around a pivot, from the top down. Source: Parry et al. 2024, arXiv 2405.14589 (TDPart), corrected.

The authors' code stops when its buffer of candidates is full and leaves the rest of the list unscored, appends the
leftovers of a later (better) pass after those of an earlier one, and has an early exit that never fires. On shuffled
lists a perfect judge gets a wrong result from it every time; with these three mended, the right one every time.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import ConfigError
from ..core.plans import Outcome, Round
from ..core.protocols import Plan
from ._order import at_least, by_score


@dataclass(frozen=True)
class TopDownPartition:
    """Sort the first ``size``; its ``cut``-th document, the pivot, meets all later blocks in one round.

    Documents better than the pivot become candidates together with those above it, and are partitioned again until they
    fit into one group. A block shows the pivot first and ``size - 1`` documents after it, so an answer that says
    nothing leaves them below the pivot. The order so far has the candidates first, then the pivot, then the leftovers,
    best pass first.
    """

    size: int = 20
    cut: int = 10

    def __post_init__(self) -> None:
        at_least(self, "size", 2)
        at_least(self, "cut", 1)
        if self.cut > self.size:
            raise ConfigError(f"TopDownPartition: cut {self.cut} is beyond the group's size {self.size}")

    @property
    def needs_across(self) -> bool:
        return False

    @property
    def group_size(self) -> int:
        return self.size

    def exact_top(self, n: int) -> int:
        return n if n <= self.size else self.cut

    def plan(self, n: int) -> Plan:
        items, settled = list(range(n)), list[int]()
        while len(items) > self.size:
            head, rest = items[: self.size], items[self.size :]
            (scores,) = yield Round((tuple(head),), (*items, *settled))
            head = by_score(head, scores)
            pivot, above, below = head[self.cut - 1], head[: self.cut - 1], head[self.cut :]
            step = self.size - 1
            blocks = tuple((pivot, *rest[i : i + step]) for i in range(0, len(rest), step))
            verdicts = yield Round(blocks, (*head, *rest, *settled))
            for block, scores in zip(blocks, verdicts, strict=True):
                order = by_score(block, scores)
                rank = order.index(pivot)
                above, below = above + order[:rank], below + order[rank + 1 :]
            items, settled = above, [pivot, *below, *settled]
            if len(above) == self.cut - 1:  # nothing came up from the blocks, so the head is sorted already
                return Outcome((*above, *settled))
        if len(items) > 1:
            (scores,) = yield Round((tuple(items),), (*items, *settled))
            items = by_score(items, scores)
        return Outcome((*items, *settled))
