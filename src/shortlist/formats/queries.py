"""Queries: JSONL (BEIR and others), TSV (``qid<tab>text``), CSV/TSV with a header, and TREC topics.

What the files hold beside id, text and instruction (answers, sources ...) has no place in a Query; such fields are
counted in ``Bad.noticed``. TREC topics are in ``topics``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from typing import Any

from ..core.errors import FormatError, InputError
from ..core.types import Query
from .atomic import atomic_text
from .lines import Bad, Readable, Source, as_source, head_text, iter_lines
from .qrels import tab_free
from .records import (
    QUERY_ID_KEYS,
    QUERY_TEXT_KEYS,
    Record,
    first_key,
    first_of,
    identifier,
    read_numbered,
    string,
    write_records,
)
from .tables import TableRow, iter_table, split_cells
from .topics import is_topics, iter_topics


def read_queries(path: Readable, *, bad: Bad | None = None) -> list[Query]:
    """All queries of a file in file order. A query that comes twice with the same text is read once and counted;
    two different texts under one id raise FormatError."""
    source, bad = as_source(path), bad or Bad()
    found: dict[str, tuple[int, Query]] = {}
    for number, query in _numbered(source, bad):
        line, earlier = found.setdefault(query.id, (number, query))
        if earlier is query:
            continue
        if earlier == query:
            bad.noticed["repeated queries"] += 1
        else:
            bad.line(source.name, number, f"query {query.id!r} has another text at line {line}", query.text)
    return [query for _, query in found.values()]


def by_id(queries: Iterable[Query]) -> dict[str, Query]:
    """Queries by their ids, as ``read_rankings`` takes them.

    >>> by_id([Query("q1", "flea life cycle")])["q1"].text
    'flea life cycle'
    """
    return {query.id: query for query in queries}


def iter_queries(path: Readable, *, bad: Bad | None = None) -> Iterator[Query]:
    """One query at a time, repetitions included. Raises FormatError for a malformed line."""
    for _, query in _numbered(as_source(path), bad or Bad()):
        yield query


def write_beir_queries(queries: Iterable[Query], path: str | PathLike[str]) -> None:
    """BEIR's JSONL: ``_id``, ``text`` (and ``instruction`` and ``images`` when there are any)."""
    write_records((_record(query, "_id") for query in queries), path)


def write_flag_embedding_queries(queries: Iterable[Query], path: str | PathLike[str]) -> None:
    """FlagEmbedding's JSONL: ``id``, ``text``."""
    write_records(({"id": query.id, "text": query.text} for query in queries), path)


def write_tsv_queries(queries: Iterable[Query], path: str | PathLike[str]) -> int:
    """``qid<tab>text`` lines; returns how many texts had line ends or tabs, which became spaces."""
    flattened = 0
    with atomic_text(path) as out:
        for query in queries:
            text, changed = one_line(query.text)
            flattened += changed
            out.write(f"{tab_free(query.id, 'query id')}\t{text}\n")
    return flattened


def one_line(text: str) -> tuple[str, bool]:
    """``text`` without tabs and line ends, and whether it had any. Raises InputError for half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"text {text[:40]!r} holds half a surrogate pair and cannot be UTF-8; write JSONL instead"
        ) from error
    flat = text.translate({9: " ", 10: " ", 13: " "})
    return flat, flat != text


def _record(query: Query, id_key: str) -> dict[str, Any]:
    record: dict[str, Any] = {id_key: query.id, "text": query.text}
    if query.instruction is not None:
        record["instruction"] = query.instruction
    if query.images:
        record["images"] = list(query.images)
    return record


def _numbered(source: Source, bad: Bad) -> Iterator[tuple[int, Query]]:
    head = head_text(source).lstrip()
    if head.startswith(("{", "[")):
        yield from read_numbered(source, lambda _, record: _from_record(record, bad), bad)
    elif is_topics(head):
        yield from iter_topics(source)
    else:
        delimiter = _header_delimiter(head)
        yield from _from_table(source, delimiter, bad) if delimiter else _from_tsv(source, bad)


def _from_record(record: Record, bad: Bad) -> Query:
    id_key = first_key(record, QUERY_ID_KEYS)
    query_id = identifier(first_of(record, QUERY_ID_KEYS, "query id"), f"field {id_key!r}")
    text = string(first_of(record, QUERY_TEXT_KEYS, "query text"), "the query text")
    instruction, images = record.get("instruction"), record.get("images") or ()
    known = (id_key, first_key(record, QUERY_TEXT_KEYS), "instruction", "images", "metadata")
    bad.noticed.update(f"query field {key!r} not read" for key in record if key not in known)
    return Query(
        query_id, text, None if instruction is None else string(instruction, "instruction"), tuple(map(str, images))
    )


def is_header(names: Sequence[str]) -> bool:
    """True for column names with a query id and a query text, and no document id."""
    if set(names) & {"docid", "doc_id", "docno", "pid"}:
        return False
    return bool(set(names) & set(QUERY_ID_KEYS)) and bool(set(names) & set(QUERY_TEXT_KEYS))


def _header_delimiter(head: str) -> str:
    """The delimiter of a header line with an id and a text column; empty when the first line is no header."""
    first = head.partition("\n")[0]
    for delimiter in "\t", ",":
        try:
            names = {cell.strip().lower() for cell in split_cells(first, delimiter)}
        except ValueError:
            continue
        if is_header(tuple(names)):
            return delimiter
    return ""


def _from_table(source: Source, delimiter: str, bad: Bad) -> Iterator[tuple[int, Query]]:
    rows = iter_table(source, delimiter, bad)
    header = [cell.strip().lower() for cell in next(rows, TableRow(0, 0, 0, [])).cells]
    id_at = header.index(next(key for key in QUERY_ID_KEYS if key in header))
    text_at = header.index(next(key for key in QUERY_TEXT_KEYS if key in header))
    for row in rows:
        if len(row.cells) != len(header) or not row.cells[id_at]:
            problem = f"expected {len(header)} cells with an id, found {len(row.cells)}"
            bad.line(source.name, row.line, problem, delimiter.join(row.cells))
        else:
            yield row.line, Query(row.cells[id_at], row.cells[text_at])


def _from_tsv(source: Source, bad: Bad) -> Iterator[tuple[int, Query]]:
    for number, line in iter_lines(source, bad):
        if not line.strip():
            continue
        query_id, tab, text = line.partition("\t")
        if not tab or not query_id.strip():
            error = FormatError(source.name, number, "expected 'query id<tab>text'", line)
            bad.error(error)
            continue
        yield number, Query(query_id.strip(), text)
