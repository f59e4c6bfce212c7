"""A TREC run file, evaluated while it is read: memory holds one query's ids.

Regular files only (see ``blocks``): six columns, each query's lines together, no document twice in a query.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from itertools import groupby
from typing import BinaryIO

from ..core.errors import RankingError
from ..measures import grade, order_single
from .blocks import Irregular, blocks, columns
from .judgements import Judgements
from .seen import Seen

COLUMNS = 6  # query, Q0, document, rank, score, tag

Group = tuple[bytes, list[bytes], "array[float]"]


def seen_lines(stream: BinaryIO, judged: Judgements, *, keep_ids: bool) -> Iterator[Seen]:
    """One Seen per query, in file order. Raises Irregular at the first thing that is not of the plain form."""
    known: set[bytes] = set()
    for query, ids, scores in _groups(stream):
        if query in known:
            raise Irregular
        known.add(query)
        if query not in judged.encoded:
            yield Seen(query.decode(), None)
            continue
        query_id, documents = judged.encoded[query]
        try:
            ranked, ties = order_single(ids, scores)
        except RankingError as error:
            raise Irregular from error
        graded = grade(ranked, documents, judged.pools[query_id])
        yield Seen(query_id, graded, ties, ids=tuple(i.decode() for i in ranked) if keep_ids else ())


def _groups(stream: BinaryIO) -> Iterator[Group]:
    """(query, documents, scores in single precision) of neighbouring lines of one query, also across blocks."""
    query, ids, scores = b"", list[bytes](), array("f")
    for block in blocks(stream):
        queries, _, documents, ranks, written, _ = columns(block, COLUMNS)
        numbers = _numbers(ranks, written)
        start = 0
        for name, lines in groupby(queries):
            end = start + len(list(lines))
            if name != query:
                if ids:
                    yield query, ids, scores
                query, ids, scores = name, [], array("f")
            ids += documents[start:end]
            scores += numbers[start:end]
            start = end
    if ids:
        yield query, ids, scores


def _numbers(ranks: list[bytes], written: list[bytes]) -> array[float]:
    """The scores. Irregular for what the tolerant reader may refuse: NaN, infinity, ``1_000``, a rank of letters."""
    try:
        scores = array("f", list(map(float, written)))
    except ValueError as error:
        raise Irregular from error
    if not b"".join(ranks).isdigit() or b"_" in b"".join(written) or not math.isfinite(sum(scores)):
        raise Irregular
    return scores
