"""Rankify and DPR question-answering files: ``[{"question", "answers", "ctxs": [{"id", "score", "has_answer", "text",
"title"}]}]``.

``reranked_ctxs`` is the order when it is there; ``ctxs`` is then the first stage. Answers have no place in a Query and
are counted as not read. Source: DataScienceUIBK/Rankify, ``Dataset``; facebookresearch/DPR, retriever output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from os import PathLike

from ...core.types import Candidate, Document, Ranking
from ..bodies import body, document, made_id, query_of, required_scores, score_of
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
holds = frozenset({"order", "query ids", "query texts", "document ids", "texts", "titles", "scores", "first stage"})
keeps = frozenset({"has_answer"})
_RENUMBERED = "rankings whose first-stage ranks are renumbered among the documents that are left"


def sniff(sample: Sample) -> bool:
    """A question with contexts."""
    return sample.has("question") and (sample.has("ctxs") or sample.has("reranked_ctxs"))


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per question."""
    bad = bad or Bad()

    def make(ordinal: int, record: Record) -> Ranking:
        used = ("question", "ctxs", "reranked_ctxs", "query_id", "id", "qid", "_id")
        bad.noticed.update(f"query field {key!r} not read" for key in record if key not in used and record[key])
        return _ranking(ordinal, record)

    return read_records(as_source(path), make, bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """A JSON array as Rankify loads it; JSONL when the name ends in ``.jsonl``. ``answers`` is an empty list."""
    records = (_record(ranking, notes) for ranking in rankings)
    (write_records if ".jsonl" in str(path) else write_array)(records, path)


def _ranking(ordinal: int, record: Record) -> Ranking:
    query = query_of(record, "question", ordinal)
    first = _candidates(record, "ctxs", query.id)
    if "reranked_ctxs" not in record:
        return Ranking(query, tuple(first))
    place = {c.id: (i, c.score) for i, c in enumerate(first)}
    ranked = []
    for candidate in _candidates(record, "reranked_ctxs", query.id):
        rank, score = place.get(candidate.id, (None, None))
        ranked.append(replace(candidate, first_rank=rank, first_score=score))
    return Ranking(query, tuple(ranked), status="ranked")


def _candidates(record: Record, key: str, query_id: str) -> list[Candidate]:
    found = []
    for position, item in enumerate(as_list(record.get(key, []), key)):
        context = as_object(item, f"an object in {key!r}")
        id_key = first_key(context, DOC_ID_KEYS)
        doc_id = identifier(context[id_key], "context id") if id_key else made_id(query_id, position)
        texts = {"text": "", **context}  # texts are there only if the file was saved with them
        found.append(Candidate(document(texts, doc_id, drop=("score",)), score_of(context)))
    return found


def _record(ranking: Ranking, notes: Counter[str]) -> Record:
    record: Record = {"query_id": ranking.query.id, "question": ranking.query.text, "answers": []}
    ordered = [
        _context(c.document, s) for c, s in zip(ranking.candidates, required_scores(ranking, notes), strict=True)
    ]
    if ranking.status == "retrieved" or any(c.first_rank is None for c in ranking.candidates):
        return (
            {**record, "ctxs": ordered}
            if ranking.status == "retrieved"
            else {**record, "ctxs": [], "reranked_ctxs": ordered}
        )
    first = sorted(ranking.candidates, key=lambda c: c.first_rank or 0)
    notes[_RENUMBERED] += [c.first_rank for c in first] != list(range(len(first)))
    return {**record, "ctxs": [_context(c.document, c.first_score) for c in first], "reranked_ctxs": ordered}


def _context(document: Document, score: float | None) -> Record:
    context: Record = {"id": document.id, "title": document.title or "", **body(document)}
    if score is not None:
        context["score"] = score
    if "has_answer" in document.metadata:
        context["has_answer"] = document.metadata["has_answer"]
    return context
