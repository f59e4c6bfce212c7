"""Which requests begin with the same tokens: a tree whose inner nodes are computed once. Pure.

Requests that share an instruction, and among them those that share a query, form nested nodes. It does not know
models; what is saved is counted in tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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


def worthwhile(root: Node, lengths: Sequence[int], token: int) -> Node:
    """The tree without nodes that cost more than they save.

    A row that stands behind a cache pays for all pairs of its own tokens with all tokens; by itself it would pay for
    each pair once. lengths: tokens of the rows. token: what computing one more token costs, in pairs.

    >>> tree = shared_prefixes([[1, 2, 3], [1, 2, 4]], least=1, worth=1)
    >>> len(worthwhile(tree, [3, 3], 100).children), len(worthwhile(tree, [3000, 3000], 100).children)
    (1, 0)
    """
    rows, children = list(root.rows), []
    for child in root.children:
        inner = worthwhile(child, lengths, token)
        held = rows_of(inner)
        saved = (len(held) - 1) * (inner.end - inner.start) * token
        extra = sum(lengths[i] * (lengths[i] // 2 - inner.end) for i in inner.rows)
        if saved >= extra:
            children.append(inner)
        else:
            rows += inner.rows
            children += [replace(deeper, start=root.end) for deeper in inner.children]
    return Node(root.start, root.end, tuple(sorted(rows)), tuple(children))


def rows_of(node: Node) -> list[int]:
    """All rows under a node."""
    return [*node.rows, *(row for child in node.children for row in rows_of(child))]


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
