"""Tevatron's reranking input: one line per query and document, ``{"query_id", "query", "docid", "title", "text",
"score"}``.

Source: texttron/tevatron, ``prepare_rerank_file``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Query, Ranking
from ..bodies import body, document, required_scores, score_of
from ..lines import Bad, Readable, Source, as_source
from ..records import Record, first_of, identifier, iter_records, string, write_records
from ..rows import Grouping, Order, Row
from ..sample import Sample

kind = "rankings"
holds = frozenset({"order", "query ids", "query texts", "document ids", "texts", "titles", "scores"})
order: Order = "file"
_DOC_KEYS = ("docid", "doc_id")
_QUERY_KEYS = ("query_id", "qid")
_TEXT_KEYS = ("query", "query_text")


def sniff(sample: Sample) -> bool:
    """A query and one document in one object."""
    return sample.has("query_id", "docid") and any(key in sample.record for key in _TEXT_KEYS)


def rows(source: Source, bad: Bad) -> Iterator[Row]:
    """The lines."""
    for number, record, text in iter_records(source, bad):
        try:
            yield _row(number, record)
        except ValueError as error:
            bad.line(source.name, number, str(error), text)


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per query, in the order of the lines."""
    source, bad = as_source(path), bad or Bad()
    return Grouping(source.name, order=order).rankings(rows(source, bad), bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """One line per document."""
    write_records((line for ranking in rankings for line in _lines(ranking, notes)), path)


def _row(number: int, record: Record) -> Row:
    query_id = identifier(first_of(record, _QUERY_KEYS, "query id"), "query_id")
    doc_id = identifier(first_of(record, _DOC_KEYS, "document id"), "docid")
    query = Query(query_id, string(first_of(record, _TEXT_KEYS, "query"), "query"))
    made = document(record, doc_id, drop=(*_QUERY_KEYS, *_TEXT_KEYS, "score"))
    return Row(number, query_id, doc_id, None, score_of(record), "", query, made)


def _lines(ranking: Ranking, notes: Counter[str]) -> Iterator[Record]:
    notes["queries without candidates have no line"] += not ranking.candidates
    for item, score in zip(ranking.documents, required_scores(ranking, notes), strict=True):
        texts = {"docid": item.id, "title": item.title or "", **body(item)}
        yield {**texts, "score": score, "query_id": ranking.query.id, "query": ranking.query.text}
