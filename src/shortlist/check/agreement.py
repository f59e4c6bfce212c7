"""How alike two orders of the same documents are: Kendall's tau, overlap at a cutoff, and what input order pulls along.

Pure functions over ids; no model, no judgements.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def kendall_tau(one: Sequence[str], other: Sequence[str]) -> float:
    """Agreeing minus disagreeing pairs over all pairs of the ids in both; 1 is the same order, -1 the reverse.

    Fewer than two common ids give 1. Source: Kendall 1938, Biometrika (tau-a; there are no ties in an order).

    >>> kendall_tau("abc", "abc"), kendall_tau("abc", "cba"), round(kendall_tau("abc", "bac"), 3)
    (1.0, -1.0, 0.333)
    """
    place = {doc_id: i for i, doc_id in enumerate(other)}
    places = [place[doc_id] for doc_id in one if doc_id in place]
    pairs = len(places) * (len(places) - 1) // 2
    if not pairs:
        return 1.0
    wrong = sum(a > b for i, a in enumerate(places) for b in places[i + 1 :])
    return 1 - 2 * wrong / pairs


def overlap_at(k: int, one: Sequence[str], other: Sequence[str]) -> float:
    """Share of the first ``k`` ids of ``one`` that are among the first ``k`` of ``other``; 1 for empty orders.

    >>> overlap_at(2, "abcd", "bxay")
    0.5
    """
    top = set(one[:k])
    return len(top & set(other[:k])) / len(top) if top else 1.0


def pull(before: Sequence[str], after: Sequence[str], moved: Sequence[str], result: Sequence[str]) -> float:
    """Does what stands further in front in the input end further in front in the result?

    before: the input's order, of which ``after`` is the result; moved: the same ids in another order, of which
    ``result`` is the result. The correlation (Pearson) between the ranks that each document gained in the input and
    those it gained in the result: 0 when nothing moved in the result or no side is taken, 1 when the result follows the
    input, below 0 for a model that likes what stands at the end.

    >>> pull("abc", "abc", "cba", "cba"), pull("abc", "abc", "cba", "abc")
    (1.0, 0.0)
    """
    ranks = [{doc_id: i for i, doc_id in enumerate(order)} for order in (before, after, moved, result)]
    common = [doc_id for doc_id in before if all(doc_id in rank for rank in ranks)]
    x = [float(ranks[0][i] - ranks[2][i]) for i in common]
    y = [float(ranks[1][i] - ranks[3][i]) for i in common]
    return _correlation(x, y)


def _correlation(x: Sequence[float], y: Sequence[float]) -> float:
    n = len(x)
    if not n:
        return 0.0
    mean_x, mean_y = sum(x) / n, sum(y) / n
    spread = math.sqrt(sum((a - mean_x) ** 2 for a in x) * sum((b - mean_y) ** 2 for b in y))
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread if spread else 0.0
