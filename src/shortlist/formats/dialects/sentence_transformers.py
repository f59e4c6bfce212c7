"""sentence-transformers' listwise training columns: ``{"query", "docs": [str], "labels": [number]}``.

Labels are the judgements that travel with the documents. The file has no ids. Source: sentence-transformers,
cross-encoder losses (LambdaLoss, ListNet).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from os import PathLike

from ...core.errors import InputError
from ...core.types import Ranking
from ..bodies import listed, query_of
from ..features import grade_of
from ..graded import graded, whole
from ..lines import Bad, Readable, as_source
from ..records import Record, as_list, number, read_records, write_records
from ..sample import Sample

kind = "rankings"
holds = frozenset({"order", "query texts", "texts", "grades", "grade levels"})


def sniff(sample: Sample) -> bool:
    """A query with documents and labels."""
    return sample.has("query", "docs", "labels")


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per line, in the order of ``docs``."""
    return read_records(as_source(path), _ranking, bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Grades are the labels (unjudged is 0, noted); without any grade the scores are, noted. Raises InputError with
    neither."""
    write_records((_record(ranking, notes) for ranking in rankings), path)


def _ranking(ordinal: int, record: Record) -> Ranking:
    query = query_of(record, "query", ordinal)
    candidates = listed(record.get("docs"), "docs", query.id)
    labels = [whole(number(label, "label")) for label in as_list(record.get("labels"), "labels")]
    if len(labels) != len(candidates):
        raise ValueError(f"{len(labels)} labels for {len(candidates)} docs")
    pairs = zip(candidates, labels, strict=True)
    return Ranking(query, tuple(replace(c, document=graded(c.document, label)) for c, label in pairs))


def _record(ranking: Ranking, notes: Counter[str]) -> Record:
    docs = [document.full_text for document in ranking.documents]
    return {"query": ranking.query.text, "docs": docs, "labels": _labels(ranking, notes)}


def _labels(ranking: Ranking, notes: Counter[str]) -> list[float]:
    judged = [grade_of(c) for c in ranking.candidates]
    if any(grade is not None for grade in judged) or not judged:
        notes["unjudged documents written with the label 0"] += judged.count(None)
        return [grade or 0 for grade in judged]
    scores = [c.score for c in ranking.candidates if c.score is not None and math.isfinite(c.score)]
    if len(scores) < len(judged):
        raise InputError(
            f"query {ranking.query.id!r}: neither grades nor scores to make labels of; give grades with --qrels"
        )
    notes["rankings without grades: their scores are the labels"] += 1
    return scores
