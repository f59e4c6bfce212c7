"""Insertion into a sorted top k that trusts the first stage.

Source: Podolak et al. 2025, arXiv 2504.10509 (Setwise Insertion). Written from the paper's idea, a warm start from the
first stage's order and whole groups set aside by one call, without the authors' code: the number of calls is ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import islice

from ..core.plans import Outcome, Round
from ..core.protocols import Plan
from ..core.types import Scores
from ._ask import rounds
from ._contest import setwise
from ._order import at_least, head_first
from .heap import best_first


@dataclass(frozen=True)
class InsertionTopK:
    """Sort the first ``k`` by a heap; then put the k-th, the guard, against the next ``children`` documents at a time.

    If the guard wins, the whole group is set aside. Otherwise the winner replaces the guard and finds its rank in the
    top k by binary search, and the next document joins the others of its group. The nearer the first stage is to the
    truth, the fewer calls: n/children at best. Sequential except for the building of the heap. Ties go to the document
    that the first stage ranked higher, which is the paper's use of the prior. The rest keeps first-stage order.
    """

    children: int = 3
    k: int = 10

    def __post_init__(self) -> None:
        at_least(self, "children", 2)
        at_least(self, "k", 1)

    @property
    def needs_across(self) -> bool:
        return False

    @property
    def group_size(self) -> int:
        return self.children + 1

    def exact_top(self, n: int) -> int:
        return min(self.k, n)

    def plan(self, n: int) -> Plan:
        top = yield from best_first(range(min(self.k, n)), self.k, self.children, setwise, n)
        waiting = deque(range(len(top), n))
        while waiting:
            group = list(islice(waiting, self.children))
            winner = yield from rounds(setwise(top[-1], group), head_first(top, n))
            if winner == top[-1]:
                for _ in group:
                    waiting.popleft()
                continue
            waiting.remove(winner)
            so_far = head_first([*top[:-1], winner], n)
            rank = yield from _rank_of(winner, top[:-1], so_far)
            top = [*top[:rank], winner, *top[rank:-1]]
        return Outcome(head_first(top, n))


def _rank_of(document: int, above: Sequence[int], so_far: tuple[int, ...]) -> Generator[Round, Sequence[Scores], int]:
    """Where ``document`` belongs in the sorted list ``above``, by binary search over pairs."""
    low, high = 0, len(above)
    while low < high:
        middle = (low + high) // 2
        winner = yield from rounds(setwise(above[middle], [document]), so_far)
        if winner == document:
            high = middle
        else:
            low = middle + 1
    return low
