"""Rows (query, document, rank, score) into one ranking per query: grouping, duplicates, order and ties.

Shared by every format that writes one line per document. The order of trec_eval is reproduced: it keeps scores as
32-bit floats, sorts them descending and breaks ties by document id descending (bytewise), whatever the rank column
says.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from ..core.errors import FormatError, InputError, MissingDocument
from ..core.protocols import Corpus
from ..core.types import Candidate, Document, Query, Ranking
from .lines import Bad

Order = Literal["score", "rank", "file"]
"""score: as trec_eval does; rank: by the rank column; file: as the lines stand."""

_FLOAT = struct.Struct("<f")


class Row(NamedTuple):  # not a dataclass: millions are made, and pickled when a run is regrouped on disk
    """One line of a run. ``rank`` counts as the file does; ``None`` where the format has no such column."""

    line: int
    query_id: str
    doc_id: str
    rank: int | None
    score: float | None
    tag: str
    query: Query | None = None
    document: Document | None = None


@dataclass(frozen=True)
class Grouping:
    """How rows become rankings. ``name`` is the file's, for messages; ``depth`` keeps that many per query, after
    ordering."""

    name: str
    queries: Mapping[str, Query] | None = None
    corpus: Corpus | None = None
    order: Order = "score"
    depth: int | None = None

    def rankings(self, rows: Iterable[Row], bad: Bad) -> Iterator[Ranking]:
        """One ranking per query, while reading. Raises FormatError when a query comes back after another one."""
        seen: dict[str, int] = {}
        group: list[Row] = []
        for row in rows:
            if group and row.query_id != group[0].query_id:
                yield from self.ranking(group, bad)
                group = []
            if not group:
                if row.query_id in seen:
                    raise self._returned(row, seen[row.query_id])
                seen[row.query_id] = row.line
            group.append(row)
        if group:
            yield from self.ranking(group, bad)

    def ranking(self, group: list[Row], bad: Bad) -> Iterator[Ranking]:
        """The ranking of one query's rows; nothing when the query is unknown and bad lines are skipped."""
        query_id = group[0].query_id
        query = group[0].query or Query(query_id, "")
        if self.queries is not None:
            found = self.queries.get(query_id)
            if found is None:
                where = f"{self.name}:{group[0].line}"
                known = len(self.queries)
                bad.error(MissingDocument(f"{where}: query {query_id!r} is not among the {known} queries given"))
                return
            query = found
        rows = _ordered(_unique(group, self.name, bad), self.order, bad)[: self.depth]
        yield Ranking(query, tuple(self._candidates(rows, bad)))

    def _returned(self, row: Row, began: int) -> FormatError:
        problem = f"query {row.query_id!r} comes back after other queries (it began at line {began})"
        return FormatError(
            self.name, row.line, f"{problem}; sort the file by query or read it with grouped=False (--ungrouped)"
        )

    def _candidates(self, rows: list[Row], bad: Bad) -> Iterator[Candidate]:
        for row in rows:
            document = row.document
            if self.corpus is not None:
                try:
                    document = self.corpus[row.doc_id]
                except MissingDocument as error:
                    bad.error(MissingDocument(f"{self.name}:{row.line}: {error}"))
                    continue
            yield Candidate(document or Document(row.doc_id, ""), row.score)


def single(value: float) -> float:
    """``value`` as trec_eval holds it: rounded to a 32-bit float; beyond its range, infinite.

    >>> single(1.00000000001) == 1.0
    True
    """
    try:
        return float(_FLOAT.unpack(_FLOAT.pack(value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def trec_order(scored: Iterable[tuple[float, str]]) -> list[int]:
    """Positions in trec_eval's order: 32-bit score descending, then document id descending.

    >>> trec_order([(1.0, "a"), (2.0, "b"), (1.0, "c")])
    [1, 2, 0]
    """
    keys = [(single(score), doc_id) for score, doc_id in scored]
    return sorted(range(len(keys)), key=keys.__getitem__, reverse=True)


def _unique(group: list[Row], name: str, bad: Bad) -> list[Row]:
    first: dict[str, Row] = {}
    for row in group:
        earlier = first.setdefault(row.doc_id, row)
        if earlier is not row:
            where = f"line {earlier.line}" if earlier.line != row.line else "the same line"
            problem = f"document {row.doc_id!r} of query {row.query_id!r} is listed twice, first at {where}"
            bad.line(name, row.line, problem)
    return list(first.values())


def _ordered(rows: list[Row], order: Order, bad: Bad) -> list[Row]:
    if order == "file":
        return rows
    by_rank = order == "rank" or all(row.score is None for row in rows)
    if by_rank:
        missing = next((row for row in rows if row.rank is None), None)
        if missing is not None:
            raise InputError(f"line {missing.line}: no rank column to order by; use order='score' or 'file'")
        return sorted(rows, key=lambda row: row.rank or 0)
    keys = [(single(row.score or 0.0), row.doc_id) for row in rows]
    positions = sorted(range(len(rows)), key=keys.__getitem__, reverse=True)
    bad.noticed["tied scores"] += sum(keys[a][0] == keys[b][0] for a, b in pairwise(positions))
    return [rows[i] for i in positions]
