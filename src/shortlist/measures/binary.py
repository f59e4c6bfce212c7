"""Measures that ask of each document only whether it is relevant: grade of at least ``rel``.

Each follows trec_eval 9's code, also for negative grades and for queries without relevant documents, which get 0.
"""

from __future__ import annotations

from .graded import Graded

INFAP_EPSILON = 0.00001  # trec_eval's smoothing constant


def average_precision(g: Graded, *, cutoff: int | None, rel: int) -> float:
    """Precision at each relevant document that was retrieved, over the number of relevant documents."""
    total = g.to_find(rel)
    top = g.n if cutoff is None else cutoff
    gained = sum(seen / (position + 1) for seen, position in enumerate(g.relevant(rel), 1) if position < top)
    return gained / total if total else 0.0


def reciprocal_rank(g: Graded, *, cutoff: int | None, rel: int) -> float:
    """One over the rank of the first relevant document, 0 when it stands below ``cutoff``."""
    first = next(iter(g.relevant(rel)), None)
    return 0.0 if first is None or (cutoff is not None and first >= cutoff) else 1.0 / (first + 1)


def precision(g: Graded, *, cutoff: int, rel: int) -> float:
    """Relevant documents among the first ``cutoff``, over ``cutoff`` even when fewer were retrieved."""
    return _within(g, cutoff, rel) / cutoff


def recall(g: Graded, *, cutoff: int, rel: int) -> float:
    """Share of the relevant documents that stands among the first ``cutoff``."""
    total = g.to_find(rel)
    return _within(g, cutoff, rel) / total if total else 0.0


def success(g: Graded, *, cutoff: int, rel: int) -> float:
    """1 when a relevant document stands among the first ``cutoff``."""
    return float(_within(g, cutoff, rel) > 0)


def r_precision(g: Graded, *, rel: int) -> float:
    """Precision at R, the number of relevant documents."""
    total = g.to_find(rel)
    return _within(g, total, rel) / total if total else 0.0


def judged(g: Graded, *, cutoff: int | None) -> float:
    """Share of the first ``cutoff`` documents (fewer if fewer were retrieved) that somebody judged, at any grade."""
    shown = g.n if cutoff is None else min(cutoff, g.n)
    return sum(position < shown for position in g.positions) / shown if shown else 0.0


def bpref(g: Graded, *, rel: int) -> float:
    """How seldom judged non-relevant documents stand above relevant ones; unjudged documents do not count.

    Source: Buckley and Voorhees 2004, in trec_eval's form: both numbers are bounded by R.
    """
    total = g.to_find(rel)
    bound = min(sum(0 <= grade < rel for grade in g.pool), total)
    value, above = 0.0, 0
    for grade in g.grades:
        if grade >= rel:
            value += 1.0 - min(above, total) / bound if above else 1.0
        elif grade >= 0:
            above += 1
    return value / total if total else 0.0


def inferred_ap(g: Graded, *, rel: int) -> float:
    """Average precision estimated from a judged sample of the pool; a negative grade means pooled, not judged.

    Source: Yilmaz and Aslam 2006.
    """
    value = 0.0
    relevant = nonrelevant = unjudged = 0
    for position, grade in zip(g.positions, g.grades, strict=True):
        if grade < 0:
            unjudged += 1
        elif grade < rel:
            nonrelevant += 1
        else:
            value += 1.0 if position == 0 else _expected_precision(position, relevant, nonrelevant, unjudged)
            relevant += 1
    total = g.to_find(rel)
    return value / total if total else 0.0


def _expected_precision(position: int, relevant: int, nonrelevant: int, unjudged: int) -> float:
    pooled = (relevant + nonrelevant + unjudged) / position
    share = (relevant + INFAP_EPSILON) / (relevant + nonrelevant + 2 * INFAP_EPSILON)
    return 1.0 / (position + 1) + position / (position + 1) * pooled * share


def interpolated_precision(g: Graded, *, recall: float, rel: int) -> float:
    """Highest precision at any rank where at least ``recall`` of the relevant documents have been seen.

    The share is turned into a number of documents by adding .9 and cutting, as trec_eval up to version 9 does.
    """
    found = g.relevant(rel)
    wanted = int(recall * g.to_find(rel) + 0.9)
    precisions = [seen / (position + 1) for seen, position in enumerate(found, 1)]
    return max(precisions[max(wanted - 1, 0) :], default=0.0)


def set_precision(g: Graded, *, rel: int, relative: bool) -> float:
    """Share of the retrieved documents that is relevant; ``relative``: over the most that could have been."""
    found = len(g.relevant(rel))
    most = min(g.n, g.to_find(rel)) if relative else g.n
    return found / most if most else 0.0


def set_recall(g: Graded, *, rel: int) -> float:
    """Share of the relevant documents that was retrieved at any rank."""
    total = g.to_find(rel)
    return len(g.relevant(rel)) / total if total else 0.0


def set_f(g: Graded, *, rel: int, beta: float) -> float:
    """Weighted harmonic mean of set precision and set recall; ``beta`` is not squared, as in trec_eval."""
    p, r = set_precision(g, rel=rel, relative=False), set_recall(g, rel=rel)
    return (beta + 1.0) * p * r / (beta * p + r) if p and r else 0.0


def set_ap(g: Graded, *, rel: int) -> float:
    """Set precision times set recall."""
    return set_precision(g, rel=rel, relative=False) * set_recall(g, rel=rel)


def number_retrieved(g: Graded, *, rel: int | None) -> float:
    """Documents retrieved; with ``rel``, those of them that are relevant."""
    return float(g.n if rel is None else len(g.relevant(rel)))


def number_relevant(g: Graded, *, rel: int) -> float:
    """Relevant documents that there are."""
    return float(g.to_find(rel))


def number_of_queries(g: Graded) -> float:
    """1, so that the sum counts the queries."""
    return 1.0


def _within(g: Graded, cutoff: int, rel: int) -> int:
    return sum(position < cutoff for position in g.relevant(rel))
