"""Who is the best of a few documents: one setwise group, or pairs that are asked in both orders.

Equal scores, contradictory answers and answers that say nothing (all MISSING) are ties, and the document that the first
stage ranked higher wins a tie. The reference implementations keep the champion instead; but while a heap is emptied the
champion is its last leaf, and an unreadable answer would lift a document from the bottom of the list to the top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ._ask import Ask

Contest = Callable[[int, Sequence[int]], Ask[int]]
"""Given the champion and its challengers (positions), asks for scores and returns the winner's position."""


def setwise(champion: int, challengers: Sequence[int]) -> Ask[int]:
    """One group with the champion first; the highest score wins."""
    group = (champion, *challengers)
    (scores,) = yield (group,)
    return max(zip(group, scores, strict=True), key=lambda pair: (pair[1], -pair[0]))[0]


def both_orders(champion: int, challengers: Sequence[int]) -> Ask[int]:
    """Challengers one by one, each pair in both orders in one round; only a win in both orders counts (PRP)."""
    for challenger in challengers:
        (a, b), (d, c) = yield ((champion, challenger), (challenger, champion))
        stays, falls = a > b and c > d, b > a and d > c
        if falls or (not stays and challenger < champion):
            champion = challenger
    return champion
