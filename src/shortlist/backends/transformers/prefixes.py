"""Which requests begin with the same tokens: a tree whose inner nodes are computed once. Pure.

Requests that share an instruction, and among them those that share a query, form nested nodes. It does not know
models; what is saved is counted in tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Tokens = Sequence[int]
_LEVELS = 3  # system or instruction, query, passage: each level keeps a key/value cache in memory


@dataclass(frozen=True, slots=True)
class Node:
    """Tokens ``start:end`` of any of its rows are the same in all. rows: those that no child holds."""

    start: int
    end: int
    rows: tuple[int, ...]
    children: tuple[Node, ...] = ()

    @property
    def first(self) -> int:
        """A row under this node: it stands for the shared tokens."""
        return self.rows[0] if self.rows else self.children[0].first


def shared_prefixes(rows: Sequence[Tokens], *, least: int = 16, worth: int = 64, levels: int = _LEVELS) -> Node:
    """The tree of common prefixes of the rows' first tokens.

    least: shortest shared stretch. worth: fewest tokens that a node must save. The root is empty (0 to 0).

    >>> shared_prefixes([[1, 2, 3], [1, 2, 4], [9]], least=1, worth=1).children
    (Node(start=0, end=2, rows=(0, 1), children=()),)
    """
    order = sorted(range(len(rows)), key=lambda i: (rows[i], i))
    common = [_common(rows[a], rows[b]) for a, b in pairwise(order)]
    return _node(0, 0, order, common, least, worth, levels)


def _node(
    start: int, end: int, order: Sequence[int], common: Sequence[int], least: int, worth: int, levels: int
) -> Node:
    alone: list[int] = []
    children: list[Node] = []
    position = 0
    while position < len(order):
        stop = position
        while levels and stop < len(common) and common[stop] >= end + least:
            stop += 1
        inner = common[position:stop]
        deeper = min(inner, default=end)
        if (stop - position) * (deeper - end) >= max(1, worth):
            group = order[position : stop + 1]
            children.append(_node(end, deeper, group, inner, least, worth, levels - 1))
        else:
            alone += order[position : stop + 1]
        position = stop + 1
    return Node(start, end, tuple(sorted(alone)), tuple(children))


def _common(a: Tokens, b: Tokens) -> int:
    limit = min(len(a), len(b))
    if a[:limit] == b[:limit]:
        return limit
    return next(i for i in range(limit) if a[i] != b[i])
