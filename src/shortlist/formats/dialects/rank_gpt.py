"""RankGPT's JSON: ``[{"query", "hits": [{"content", "qid", "docid", "rank", "score"}]}]``.

The order of ``hits`` is the order. Source: sunnweiwei/RankGPT, ``run_retriever``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Candidate, Document, Query, Ranking
from ..bodies import made_id, required_scores, score_of
from ..lines import Bad, Readable, as_source
from ..records import (
    Record,
    as_list,
    as_object,
    first_key,
    first_of,
    identifier,
    read_records,
    string,
    write_array,
    write_records,
)
from ..sample import Sample

kind = "rankings"
holds = frozenset({"order", "query ids", "query texts", "document ids", "texts", "scores"})


def sniff(sample: Sample) -> bool:
    """A query with hits."""
    return sample.has("query", "hits")


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per object."""
    return read_records(as_source(path), _ranking, bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """A JSON array; JSONL when the name ends in ``.jsonl``. ``qid`` stands beside ``query`` too, for queries without
    hits."""
    records = (_record(ranking, notes) for ranking in rankings)
    (write_records if ".jsonl" in str(path) else write_array)(records, path)


def _ranking(ordinal: int, record: Record) -> Ranking:
    hits = [as_object(hit, "an object in 'hits'") for hit in as_list(record.get("hits"), "hits")]
    ids = {identifier(hit["qid"], "qid") for hit in (record, *hits) if "qid" in hit}
    if len(ids) > 1:
        raise ValueError(f"hits of different queries in one object: {', '.join(sorted(ids)[:5])}")
    query = Query(ids.pop() if ids else str(ordinal), string(first_of(record, ("query",), "query"), "query"))
    return Ranking(query, tuple(_candidate(hit, query.id, i) for i, hit in enumerate(hits)))


def _candidate(hit: Record, query_id: str, position: int) -> Candidate:
    key = first_key(hit, ("docid", "doc_id", "id"))
    doc_id = identifier(hit[key], "docid") if key else made_id(query_id, position)
    return Candidate(Document(doc_id, string(first_of(hit, ("content", "text"), "text"), "content")), score_of(hit))


def _record(ranking: Ranking, notes: Counter[str]) -> Record:
    query, scores = ranking.query, required_scores(ranking, notes)
    hits = [
        {"content": d.full_text, "qid": query.id, "docid": d.id, "rank": rank, "score": score}
        for rank, (d, score) in enumerate(zip(ranking.documents, scores, strict=True), 1)
    ]
    return {"query": query.text, "qid": query.id, "hits": hits}
