"""Judgements that travel with the documents of a ranking: attached from qrels, split into positives and negatives for
training files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ..core.errors import InputError
from ..core.protocols import Corpus
from ..core.types import Candidate, Document, Qrel, Query, Ranking
from .features import GRADE, grade_of

Grades = Mapping[str, Mapping[str, int]]


def grades(qrels: Iterable[Qrel]) -> dict[str, dict[str, int]]:
    """Judgements as query id -> document id -> grade."""
    found: dict[str, dict[str, int]] = {}
    for qrel in qrels:
        found.setdefault(qrel.query_id, {})[qrel.doc_id] = qrel.grade
    return found


def graded(document: Document, grade: float) -> Document:
    """The document with a judgement."""
    return replace(document, metadata={**document.metadata, GRADE: grade})


def with_grades(rankings: Iterable[Ranking], judged: Grades) -> Iterator[Ranking]:
    """The rankings with the judgements of their documents; what is unjudged stays so."""
    for ranking in rankings:
        known = judged.get(ranking.query.id, {})
        yield replace(
            ranking,
            candidates=tuple(
                replace(c, document=graded(c.document, known[c.id])) if c.id in known else c for c in ranking.candidates
            ),
        )


def from_qrels(qrels: Iterable[Qrel], queries: Mapping[str, Query] | None, corpus: Corpus | None) -> Iterator[Ranking]:
    """The judged documents of each query as a ranking, best grade first: what training files are made from."""
    for query_id, judged in grades(qrels).items():
        query = (queries or {}).get(query_id) or Query(query_id, "")
        order = sorted(judged, key=lambda doc_id: -judged[doc_id])
        documents = (corpus[doc_id] if corpus is not None else Document(doc_id, "") for doc_id in order)
        yield Ranking(query, tuple(Candidate(graded(d, judged[d.id])) for d in documents))


def to_qrels(rankings: Iterable[Ranking]) -> Iterator[Qrel]:
    """The judgements in the rankings. Raises InputError for a grade that is not a whole number."""
    for ranking in rankings:
        for candidate in ranking.candidates:
            grade = grade_of(candidate)
            if grade is None:
                continue
            if grade != int(grade):
                raise InputError(f"query {ranking.query.id!r}, document {candidate.id!r}: grade {grade} is not whole")
            yield Qrel(ranking.query.id, candidate.id, int(grade))


def positives(ranking: Ranking, notes: Counter[str]) -> tuple[list[Candidate], list[Candidate]]:
    """(positives, negatives) of a training example, in rank order. Unjudged documents count as negatives, and are
    noted.

    Raises InputError when nothing is judged: a training file needs judgements.
    """
    if ranking.candidates and all(grade_of(c) is None for c in ranking.candidates):
        raise InputError(
            f"query {ranking.query.id!r}: none of its {len(ranking.candidates)} documents has a grade, and a training "
            "file needs judgements; give them with --qrels"
        )
    notes["unjudged documents written as negatives"] += sum(grade_of(c) is None for c in ranking.candidates)
    chosen = [c for c in ranking.candidates if (grade_of(c) or 0) > 0]
    notes["queries without a positive document"] += not chosen
    return chosen, [c for c in ranking.candidates if not (grade_of(c) or 0) > 0]


def whole(value: float) -> float:
    """1.0 as 1, so that grades read from JSON labels print as grades."""
    return int(value) if value == int(value) else value
