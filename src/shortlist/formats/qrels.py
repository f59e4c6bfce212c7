"""Relevance judgements: TREC (four columns), BEIR (tab-separated with a header), FlagEmbedding and MTEB (JSONL).

The same judgement twice is read once and counted; two different grades for one pair are an error. Negative grades are
kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from ..core.errors import InputError
from ..core.types import Qrel
from .atomic import atomic_text
from .lines import Bad, Readable, Source, as_source, head_text, iter_lines
from .records import Record, first_of, identifier, read_numbered, write_records
from .run import writable

_QUERY = ("query-id", "query_id", "qid", "queryid", "topic", "_id")
_DOC = ("corpus-id", "corpus_id", "docid", "doc_id", "document_id", "docno", "pid", "doc-id")
_GRADE = ("score", "relevance", "rel", "grade", "label", "judgement")


def read_qrels(path: Readable, *, bad: Bad | None = None) -> list[Qrel]:
    """All judgements of a file, in file order, of any of the known layouts."""
    return list(iter_qrels(path, bad=bad))


def iter_qrels(path: Readable, *, bad: Bad | None = None) -> Iterator[Qrel]:
    """One judgement at a time. Raises FormatError for a malformed line and for a second, different grade of a pair."""
    source, bad = as_source(path), bad or Bad()
    first: dict[tuple[str, str], tuple[int, int]] = {}
    for number, qrel in _numbered(source, bad):
        entry = (qrel.grade, number)
        earlier = first.setdefault((qrel.query_id, qrel.doc_id), entry)
        grade, line = earlier
        if earlier is entry:
            yield qrel
        elif grade == qrel.grade:
            bad.noticed["repeated judgements"] += 1
        else:
            pair = f"query {qrel.query_id!r}, document {qrel.doc_id!r}"
            problem = f"{pair}: grade {qrel.grade} here, grade {grade} at line {line}"
            bad.line(source.name, number, problem)


def write_trec_qrels(qrels: Iterable[Qrel], path: str | PathLike[str]) -> None:
    """``qid 0 docid grade``. Raises InputError for an id with white space."""
    with atomic_text(path) as out:
        for q in qrels:
            query_id, doc_id = writable(q.query_id, "query id"), writable(q.doc_id, "document id", q.query_id)
            out.write(f"{query_id} 0 {doc_id} {q.grade}\n")


def write_beir_qrels(qrels: Iterable[Qrel], path: str | PathLike[str]) -> None:
    """BEIR's TSV with its header. Raises InputError for an id with a tab or line end."""
    with atomic_text(path) as out:
        out.write("query-id\tcorpus-id\tscore\n")
        for q in qrels:
            out.write(f"{tab_free(q.query_id, 'query id')}\t{tab_free(q.doc_id, 'document id')}\t{q.grade}\n")


def write_jsonl_qrels(qrels: Iterable[Qrel], path: str | PathLike[str]) -> None:
    """FlagEmbedding's JSONL: ``qid``, ``docid``, ``relevance``."""
    write_records(({"qid": q.query_id, "docid": q.doc_id, "relevance": q.grade} for q in qrels), path)


def tab_free(value: str, what: str) -> str:
    """``value`` if one cell of a bare TSV can hold it unchanged; raises InputError."""
    if not value or value != value.strip() or any(c in value for c in "\t\n\r"):
        raise InputError(f"{what} {value!r} is empty or holds a tab, line end or outer space; write JSONL instead")
    return value


@dataclass(frozen=True)
class _Cells:
    """Which column is what."""

    query: int
    doc: int
    grade: int
    width: int


def _numbered(source: Source, bad: Bad) -> Iterator[tuple[int, Qrel]]:
    head = head_text(source).lstrip()
    if head.startswith(("{", "[")):
        yield from read_numbered(source, _from_record, bad)
        return
    cells: _Cells | None = None
    for number, line in iter_lines(source, bad):
        if not line.strip():
            continue
        if cells is None:
            cells, is_header = _layout(line)
            if is_header:
                continue
        try:
            yield number, _from_line(line, cells)
        except ValueError as error:
            bad.line(source.name, number, str(error), line)


def is_header(names: Sequence[str]) -> bool:
    """True for column or field names with a query id, a document id and a grade, and none that only runs have."""
    return _header_cells(names) is not None and not set(names) & {"rank", "q0", "system", "text", "query"}


def _header_cells(names: Sequence[str]) -> _Cells | None:
    lower = [name.strip().lower() for name in names]
    query, doc, grade = (
        next((lower.index(key) for key in keys if key in lower), None) for keys in (_QUERY, _DOC, _GRADE)
    )
    if query is None or doc is None or grade is None:
        return None
    return _Cells(query, doc, grade, len(lower))


def _layout(line: str) -> tuple[_Cells, bool]:
    names = _split(line, 0)
    header = _header_cells(names)
    if header is not None:
        return header, True
    return (_Cells(0, 1, 2, 3) if len(names) == 3 else _Cells(0, 2, 3, 4)), False


def _split(line: str, width: int) -> list[str]:
    by_tab = line.split("\t")
    if len(by_tab) == width or (not width and len(by_tab) > 1):
        return [cell.strip(" ") for cell in by_tab]
    return [cell.decode() for cell in line.encode().split()]  # bytes split at ASCII white space only


def _from_line(line: str, cells: _Cells) -> Qrel:
    parts = _split(line, cells.width)
    if len(parts) != cells.width:
        expected = "qid iter docid grade" if cells.width == 4 else f"{cells.width} columns"
        raise ValueError(f"expected {expected}, found {len(parts)} columns")
    query_id, doc_id = parts[cells.query], parts[cells.doc]
    if not query_id or not doc_id:
        raise ValueError("the query id or the document id is empty")
    return Qrel(query_id, doc_id, _grade(parts[cells.grade]))


def _from_record(ordinal: int, record: Record) -> Qrel:
    return Qrel(
        identifier(first_of(record, _QUERY, "query id"), "query id"),
        identifier(first_of(record, _DOC, "document id"), "document id"),
        _grade(first_of(record, _GRADE, "grade")),
    )


def _grade(value: Any) -> int:
    try:
        number = float(value)
        if number == int(number) and not isinstance(value, bool) and "_" not in str(value):
            return int(number)
    except (ValueError, TypeError, OverflowError):
        pass
    raise ValueError(f"grade {value!r} is not a whole number")
