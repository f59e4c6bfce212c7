"""Heap sort of the top k with n-ary comparisons.

Sources: Zhuang et al. 2023, arXiv 2310.09497 (Setwise); Qin et al. 2023, arXiv 2306.17563 (PRP-Sorting).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from ..core.plans import Outcome, Round
from ..core.protocols import Plan
from ..core.types import Scores
from ._ask import Ask, rounds, together
from ._contest import Contest, both_orders, setwise
from ._order import at_least, head_first


@dataclass(frozen=True)
class HeapTopK:
    """A heap in which a document has ``children`` children; the best ``k`` are taken out.

    A group is a parent and its children, so ``children + 1`` documents: the Setwise paper's "c = 3" is ``children=2``,
    its code's default is 3, Rank-R1 uses 19. Only the highest score of a group is used. With ``both_orders`` every
    comparison is a pair asked in both orders, and only an agreement moves a document: ``HeapTopK(2, both_orders=True)``
    is PRP-Sorting. What is not taken out keeps first-stage order.

    Building asks all parents of one level in the same round, since their subtrees share no document: same calls and
    same heap as one after the other, in fewer steps. Until the heap stands, the order so far is the first stage's.
    Taking out is sequential. Ties go to the document that the first stage ranked higher.
    """

    children: int = 3
    k: int = 10
    both_orders: bool = False

    def __post_init__(self) -> None:
        at_least(self, "children", 2)  # one child would make the heap a list
        at_least(self, "k", 1)

    @property
    def needs_across(self) -> bool:
        return False

    @property
    def group_size(self) -> int:
        return 2 if self.both_orders else self.children + 1

    def exact_top(self, n: int) -> int:
        return min(self.k, n)

    def plan(self, n: int) -> Plan:
        top = yield from best_first(range(n), self.k, self.children, both_orders if self.both_orders else setwise, n)
        return Outcome(head_first(top, n))


def best_first(
    items: Sequence[int], k: int, children: int, contest: Contest, n: int
) -> Generator[Round, Sequence[Scores], list[int]]:
    """The best ``k`` of ``items``, sorted by a heap. ``n`` is the length of the whole list, for the order so far."""
    heap, top = list(items), list[int]()
    for level in _levels(len(heap), children):
        sifts = [_sift(heap, root, len(heap), children, contest) for root in level]
        yield from rounds(together(sifts), tuple(range(n)))
    while heap and len(top) < k:
        top.append(heap[0])
        last = heap.pop()
        if heap:
            heap[0] = last
        if len(top) < k:
            yield from rounds(_sift(heap, 0, len(heap), children, contest), head_first(top, n))
    return top


def _levels(size: int, children: int) -> list[range]:
    """The parents of a heap of ``size``, level by level, deepest first."""
    levels, first, width = [], 0, 1
    while children * first + 1 < size:
        levels.append(range(first, min(first + width, (size - 2) // children + 1)))
        first, width = first + width, width * children
    return levels[::-1]


def _sift(heap: list[int], root: int, end: int, children: int, contest: Contest) -> Ask[None]:
    """Let the document at ``root`` sink until it is better than its children."""
    while children * root + 1 < end:
        below = range(children * root + 1, min(children * root + children + 1, end))
        winner = yield from contest(heap[root], [heap[i] for i in below])
        if winner == heap[root]:
            return
        down = next(i for i in below if heap[i] == winner)
        heap[root], heap[down] = heap[down], heap[root]
        root = down
