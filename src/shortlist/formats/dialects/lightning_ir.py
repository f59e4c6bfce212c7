"""Runs as a table with a header: Lightning IR's ``query_id q0 doc_id rank score system``, PyTerrier's frames, CSV or
TSV.

Columns are found by name (query_id or qid, doc_id, docid or docno, rank, score, query, text); ``query`` and ``text``
bring the texts. Source: webis-de/lightning-ir, run datasets; PyTerrier data model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from os import PathLike

from ...core.errors import FormatError
from ...core.types import Document, Query, Ranking
from ..atomic import atomic_text
from ..lines import Bad, Readable, Source, as_source
from ..rows import Grouping, Row
from ..sample import Sample
from ..scores import decreasing
from ..tables import TableRow, iter_table, table_line

kind = "rankings"
holds = frozenset({"order", "query ids", "document ids", "scores", "texts", "query texts"})

_NAMES = {
    "query": ("query_id", "qid", "query-id", "queryid"),
    "doc": ("doc_id", "docid", "docno", "document_id", "pid"),
    "rank": ("rank",),
    "score": ("score",),
    "query text": ("query",),
    "text": ("text", "passage", "body"),
}


def sniff(sample: Sample) -> bool:
    """A header with a query id, a document id and a rank or score."""
    return any(_is_header(sample.header(delimiter)) for delimiter in "\t,") or _is_header(
        tuple(c.lower() for c in sample.rows[0]) if sample.rows else ()
    )


def rows(source: Source, bad: Bad) -> Iterator[Row]:
    """The records. Raises FormatError when the header lacks a column."""
    first = source.head().partition(b"\n")[0]
    delimiter = next((d for d in "\t, " if d.encode() in first), "\t")
    table = iter_table(source, delimiter, bad)
    header = next(table, TableRow(1, 0, 0, []))
    names = [cell.strip().lower() for cell in header.cells]
    at = {what: next((names.index(k) for k in keys if k in names), -1) for what, keys in _NAMES.items()}
    if not _is_header(tuple(names)):
        raise FormatError(
            source.name, header.line, "no header with query id, doc id and rank or score", " ".join(names)
        )
    for record in table:
        try:
            yield _row(record, len(names), at)
        except ValueError as error:
            bad.line(source.name, record.line, str(error), delimiter.join(record.cells))


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per query, by score (by rank when there are no scores)."""
    source, bad = as_source(path), bad or Bad()
    return Grouping(source.name).rankings(rows(source, bad), bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Tab-separated; columns ``query`` and ``text`` are there when the first ranking has texts."""
    rankings = iter(rankings)
    first = next(rankings, None)
    texts = first is not None and (bool(first.query.text) or any(d.text for d in first.documents))
    with atomic_text(path) as out:
        header = ["query_id", "q0", "doc_id", "rank", "score", "system", *(["query", "text"] if texts else [])]
        out.write(table_line(header, "\t"))
        for ranking in chain([first] if first else [], rankings):
            notes["queries without candidates have no line"] += not ranking.candidates
            written = decreasing([c.score for c in ranking.candidates])
            written.note(notes)
            for rank, (document, score) in enumerate(zip(ranking.documents, written.scores, strict=True), 1):
                cells = [ranking.query.id, "Q0", document.id, rank, repr(score), "shortlist"]
                out.write(table_line([*cells, ranking.query.text, document.full_text] if texts else cells, "\t"))


def _is_header(names: tuple[str, ...]) -> bool:
    def has(what: str) -> bool:
        return any(name in names for name in _NAMES[what])

    return has("query") and has("doc") and (has("rank") or has("score"))


def _row(record: TableRow, width: int, at: dict[str, int]) -> Row:
    if len(record.cells) != width:
        raise ValueError(f"expected {width} cells, found {len(record.cells)}")

    def cell(what: str) -> str:
        return record.cells[at[what]] if at[what] >= 0 else ""

    query_id, doc_id = cell("query"), cell("doc")
    if not query_id or not doc_id:
        raise ValueError("the query id or the document id is empty")
    rank = int(cell("rank")) if cell("rank") else None
    score = float(cell("score")) if cell("score") else None
    if score is not None and not math.isfinite(score):
        raise ValueError(f"score {cell('score')!r} is not a finite number")
    return Row(
        record.line,
        query_id,
        doc_id,
        rank,
        score,
        "",
        Query(query_id, cell("query text")),
        Document(doc_id, cell("text")),
    )
