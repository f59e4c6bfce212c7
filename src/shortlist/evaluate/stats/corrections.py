"""Corrections of p values for having made several tests.

bonferroni and holm bound the chance of any false claim (holm is never weaker); bh bounds the expected share of false
claims among those made (Benjamini and Hochberg 1995). The corrected values are compared with the same level as before.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...core.errors import UnknownName

CORRECTIONS = ("holm", "bonferroni", "bh", "none")


def correct(p_values: Sequence[float], method: str = "holm") -> list[float]:
    """Corrected p values, in the order given. Raises UnknownName.

    >>> correct([0.01, 0.04, 0.03], "holm")
    [0.03, 0.06, 0.06]
    """
    if method not in CORRECTIONS:
        raise UnknownName("correction", method, CORRECTIONS)
    m = len(p_values)
    if method == "none":
        return list(p_values)
    if method == "bonferroni":
        return [min(1.0, m * p) for p in p_values]
    order = sorted(range(m), key=p_values.__getitem__)
    corrected = [0.0] * m
    if method == "holm":
        highest = 0.0
        for place, i in enumerate(order):
            highest = max(highest, min(1.0, (m - place) * p_values[i]))
            corrected[i] = highest
        return corrected
    lowest = 1.0
    for place in range(m - 1, -1, -1):
        i = order[place]
        lowest = min(lowest, m / (place + 1) * p_values[i])
        corrected[i] = lowest
    return corrected
