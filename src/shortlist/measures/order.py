"""The order in which trec_eval reads a run: score downwards, ties by document id downwards; the rank column is ignored.

Ids are compared by their UTF-8 bytes (C's strcmp), which is the order of code points and so of Python's strings.
Scores are compared in single precision: trec_eval 9 and pytrec_eval keep them in a C float while they sort, so scores
that differ by less than about 6e-8 of their size are ties there, and here. trec_eval 10 compares doubles and can
order such documents differently; the published numbers of the field were made with 9.
This module does not know judgements.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from operator import eq, ge
from typing import TypeVar

from ..core.errors import RankingError, ScoreError

Id = TypeVar("Id", str, bytes)
Groups = tuple[tuple[int, int], ...]
"""Half-open ranges of positions whose documents have equal scores, at least two in each."""


def trec_order(ids: Sequence[Id], scores: Sequence[float]) -> tuple[list[Id], Groups]:
    """The ids as trec_eval ranks them, and where scores are tied.

    Raises RankingError for a repeated id, ScoreError for a score that is not a number.

    >>> trec_order(["a", "b", "c"], [1.0, 1.0, 2.0])
    (['c', 'b', 'a'], ((1, 3),))
    """
    return order_single(ids, single_precision(ids, scores))


def order_single(ids: Sequence[Id], single: array[float]) -> tuple[list[Id], Groups]:
    """``trec_order`` for scores that are in single precision already and no NaN."""
    if len(set(ids)) != len(ids):
        twice = [_shown(doc_id) for doc_id, count in Counter(ids).items() if count > 1]
        raise RankingError(
            f"documents listed twice: {', '.join(twice[:5])}; a document may be retrieved once per query"
        )
    ranked, scores = list(ids), single.tolist()
    if not all(map(ge, scores, islice(scores, 1, None))):
        order = sorted(range(len(ranked)), key=scores.__getitem__, reverse=True)
        ranked = [ranked[i] for i in order]
        scores = [scores[i] for i in order]
    groups = tie_groups(scores)
    for start, end in groups:
        ranked[start:end] = sorted(ranked[start:end], reverse=True)
    return ranked, groups


def single_precision(ids: Sequence[str] | Sequence[bytes], scores: Sequence[float]) -> array[float]:
    """``scores`` as C floats; raises ScoreError, naming the document, for NaN and for what is not a number."""
    try:
        single = array("f", scores)
    except TypeError as error:
        wrong = next((i for i, s in enumerate(scores) if not isinstance(s, (int, float))), 0)
        raise ScoreError(f"document {_shown(ids[wrong])}: score {scores[wrong]!r} is not a number") from error
    if any(map(math.isnan, single)):
        wrong = next(i for i, score in enumerate(single) if math.isnan(score))
        raise ScoreError(f"document {_shown(ids[wrong])}: the score is NaN; a run needs a number for every document")
    return single


def tie_groups(scores: Sequence[float]) -> Groups:
    """Where neighbours have equal scores, each group as long as possible.

    >>> tie_groups([3.0, 2.0, 2.0, 1.0, 0.0, 0.0])
    ((1, 3), (4, 6))
    """
    equal = [*map(eq, scores, islice(scores, 1, None)), False]
    groups, left, end = [], equal.count(True), 0
    while left:
        start = equal.index(True, end)
        end = equal.index(False, start)
        groups.append((start, end + 1))
        left -= end - start
    return tuple(groups)


def _shown(doc_id: str | bytes) -> str:
    return repr(doc_id.decode("utf-8", "replace") if isinstance(doc_id, bytes) else doc_id)
