"""Measures that weigh a document by its grade and place: nDCG, ERR, RBP.

Sums run in rank order, as trec_eval's do, so that values agree to the last digits.
"""

from __future__ import annotations

from itertools import takewhile
from math import log2

from ..core.errors import InputError
from .graded import Graded

ERR_HIGHEST_GRADE = 4  # gdeval's constant: gains are divided by 2 ** 4 whatever grades the collection has


def ndcg(g: Graded, *, cutoff: int | None, dcg: str) -> float:
    """Discounted cumulated gain over that of the best order of all judged documents; 0 when nothing is relevant.

    dcg: ``log2`` takes the grade as the gain (Järvelin and Kekäläinen 2002, trec_eval); ``exp-log2`` takes
    2 ** grade - 1 (Burges et al. 2005, gdeval, and most of the learning-to-rank literature).
    """
    top = g.n if cutoff is None else cutoff
    found = sum(
        _gain(grade, dcg) / log2(position + 2)
        for position, grade in zip(g.positions, g.grades, strict=True)
        if position < top and grade > 0
    )
    best = list(takewhile(lambda grade: grade > 0, g.pool))[:cutoff]
    ideal = sum(_gain(grade, dcg) / log2(position + 2) for position, grade in enumerate(best))
    return found / ideal if ideal > 0 else 0.0


def _gain(grade: int, dcg: str) -> float:
    return float(2**grade - 1) if dcg == "exp-log2" else float(grade)


def err(g: Graded, *, cutoff: int | None) -> float:
    """Expected reciprocal rank at which a reader, satisfied with probability (2^grade - 1) / 16, stops.

    Source: Chapelle et al. 2009, with gdeval's constant of 4 as the highest grade.
    Raises InputError for a judgement above it.
    """
    if g.pool and g.pool[0] > ERR_HIGHEST_GRADE:
        raise InputError(f"ERR is defined for grades up to {ERR_HIGHEST_GRADE}; the judgements have {g.pool[0]}")
    top = g.n if cutoff is None else cutoff
    value, unsatisfied = 0.0, 1.0
    for position, grade in zip(g.positions, g.grades, strict=True):
        if position < top and grade > 0:
            stop = (2**grade - 1) / 2**ERR_HIGHEST_GRADE
            value += unsatisfied * stop / (position + 1)
            unsatisfied *= 1.0 - stop
    return value


def rbp(g: Graded, *, cutoff: int | None, p: float, rel: int) -> float:
    """Rank-biased precision: a reader goes on to the next document with probability ``p``.

    Binary at ``rel``; the residual of what was not retrieved or judged is not added. Source: Moffat and Zobel 2008.
    """
    top = g.n if cutoff is None else cutoff
    return (1.0 - p) * sum(p**position for position in g.relevant(rel) if position < top)
