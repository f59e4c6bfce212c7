"""Tevatron's training file: ``{"query_id", "query", "positive_passages": [{docid, title, text}], "negative_passages":
[...]}``.

Read as a ranking with the positives first; the judgement (1 or 0) travels with each document.
``positive_document_ids`` are read without texts. Source: texttron/tevatron, training data format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike

from ...core.types import Candidate, Document, Ranking
from ..bodies import body, listed, query_of
from ..features import GRADE
from ..graded import positives
from ..lines import Bad, Readable, as_source
from ..records import Record, as_list, identifier, read_records, write_records
from ..sample import Sample

kind = "rankings"
holds = frozenset({"query ids", "query texts", "document ids", "texts", "titles", "grades"})
_SIDES = (("positive", 1), ("negative", 0))


def sniff(sample: Sample) -> bool:
    """Positives in either form."""
    return sample.has("positive_passages") or sample.has("positive_document_ids")


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per line."""
    return read_records(as_source(path), _ranking, bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Graded above 0 is positive; the rest is negative. Raises InputError for a query without any judgement."""
    write_records((_record(ranking, notes) for ranking in rankings), path)


def _ranking(ordinal: int, record: Record) -> Ranking:
    query = query_of(record, "query" if "query" in record else "query_text", ordinal)
    found: list[Candidate] = []
    for side, grade in _SIDES:
        found += listed(record.get(f"{side}_passages", []), f"{side}_passages", query.id, **{GRADE: grade})
        for doc_id in as_list(record.get(f"{side}_document_ids", []), f"{side}_document_ids"):
            found.append(Candidate(Document(identifier(doc_id, "document id"), "", metadata={GRADE: grade})))
    return Ranking(query, tuple(found))


def _record(ranking: Ranking, notes: Counter[str]) -> Record:
    chosen, rejected = positives(ranking, notes)
    return {
        "query_id": ranking.query.id,
        "query": ranking.query.text,
        "positive_passages": _passages(chosen),
        "negative_passages": _passages(rejected),
    }


def _passages(candidates: Sequence[Candidate]) -> list[Record]:
    return [{"docid": c.id, "title": c.document.title or "", **body(c.document)} for c in candidates]
