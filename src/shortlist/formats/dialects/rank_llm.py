"""RankLLM requests and results: ``{"query": {"text", "qid"}, "candidates": [{"docid", "score", "doc": {...}}]}``,
JSONL or a JSON array.

Order in the file is the order. Scores in a RankLLM *result* are the old score list laid over the new order: they carry
no strength. The shorthand with a string as query and strings as candidates is read too. Source: castorini/rank_llm,
``Request`` and ``Result``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any

from ...core.types import Candidate, Query, Ranking
from ..bodies import body, document, made_id, query_of, required_scores, score_of, ungraded
from ..lines import Bad, Readable, as_source
from ..records import (
    DOC_ID_KEYS,
    Record,
    as_list,
    as_object,
    first_key,
    identifier,
    read_records,
    write_array,
    write_records,
)
from ..sample import Sample

kind = "rankings"
holds = frozenset({"order", "query ids", "query texts", "document ids", "texts", "titles", "scores", "metadata"})


def sniff(sample: Sample) -> bool:
    """Candidates beside a query, without our version field."""
    return sample.has("query", "candidates") and not sample.has("shortlist")


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per object."""
    return read_records(as_source(path), _ranking, bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """JSONL; a JSON array when the name ends in ``.json``."""
    records = (_record(ranking, notes) for ranking in rankings)
    (write_array if str(path).endswith(".json") else write_records)(records, path)


def _ranking(ordinal: int, record: Record) -> Ranking:
    asked = record.get("query")
    query = (
        Query(str(ordinal), asked) if isinstance(asked, str) else query_of(as_object(asked, "a query"), "text", ordinal)
    )
    candidates = as_list(record.get("candidates"), "candidates")
    return Ranking(query, tuple(_candidate(item, query.id, i) for i, item in enumerate(candidates)))


def _candidate(item: Any, query_id: str, position: int) -> Candidate:
    if isinstance(item, str):
        return Candidate(document(item, made_id(query_id, position)))
    record = as_object(item, "an object in 'candidates'")
    key = first_key(record, DOC_ID_KEYS)
    doc_id = identifier(record[key], f"field {key!r}") if key else made_id(query_id, position)
    inner = record.get("doc", record)
    return Candidate(document(inner, doc_id, drop=() if "doc" in record else ("score", "rank")), score_of(record))


def _record(ranking: Ranking, notes: Counter[str]) -> Record:
    scores = required_scores(ranking, notes)
    return {
        "query": {"text": ranking.query.text, "qid": ranking.query.id},
        "candidates": [
            {"docid": d.id, "score": score, "doc": body(ungraded(d), extras=True)}
            for d, score in zip(ranking.documents, scores, strict=True)
        ],
    }
