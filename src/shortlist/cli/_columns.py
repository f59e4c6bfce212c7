"""Which columns of a table are shown where not all of them fit: whole numbers in a few columns, not cut ones in all."""

from __future__ import annotations

from collections.abc import Sequence

BETWEEN = 2  # characters that a table without lines puts between two columns


def fitting(widths: Sequence[int], width: int, dispensable: Sequence[int]) -> list[int]:
    """Places of the columns that fit into ``width`` characters. dispensable: places that may go, the first first.

    >>> fitting([20, 5, 5, 8], 30, [1, 3])
    [0, 2]
    """
    shown, going = list(range(len(widths))), list(dispensable)
    while going and sum(widths[place] + BETWEEN for place in shown) > width:
        shown.remove(going.pop(0))
    return shown
