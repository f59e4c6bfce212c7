"""What a value holds and what a format can hold; the difference is what a conversion loses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ..core.types import Candidate, Document, Query, Ranking, Scale

T = TypeVar("T")

GRADE = "grade"
"""Key of ``Document.metadata`` under which a judgement travels with a document of a ranking."""

UNITS = {
    "query ids": "queries",
    "query texts": "queries",
    "instructions": "queries",
    "query images": "queries",
    "document ids": "documents",
    "texts": "documents",
    "titles": "documents",
    "images": "documents",
    "metadata": "documents",
    "scores": "documents",
    "grades": "documents",
    "grade levels": "documents",
    "first stage": "documents",
    "order": "rankings",
    "status": "rankings",
    "trace": "rankings",
}
"""Everything that can be lost, and what it is counted in."""
ALL = frozenset(UNITS)


def of_query(query: Query) -> Counter[str]:
    """Features of a query, each 0 or 1."""
    return Counter(
        {
            "query ids": 1,
            "query texts": int(bool(query.text)),
            "instructions": int(query.instruction is not None),
            "query images": int(bool(query.images)),
        }
    )


def of_document(document: Document, kept: Iterable[str] = ()) -> Counter[str]:
    """Features of a document, each 0 or 1; metadata under the ``kept`` keys does not count."""
    return Counter(
        {
            "document ids": 1,
            "texts": int(bool(document.text)),
            "titles": int(bool(document.title)),
            "images": int(bool(document.images)),
            "metadata": int(bool(set(document.metadata) - {GRADE, *kept})),
        }
    )


def of_ranking(ranking: Ranking, kept: Iterable[str] = ()) -> Counter[str]:
    """Features of a ranking with everything in it, counted in their units."""
    counts = of_query(ranking.query)
    counts["status"] += ranking.status != "retrieved" or ranking.scale is not Scale.UNKNOWN or bool(ranking.reason)
    counts["trace"] += bool(ranking.trace)
    counts["order"] += len(ranking.candidates) > 1
    for candidate in ranking.candidates:  # written out: a run has millions of these
        document = candidate.document
        counts["document ids"] += 1
        counts["scores"] += candidate.score is not None
        counts["first stage"] += candidate.first_score is not None or candidate.first_rank is not None
        counts["texts"] += document.text != ""
        counts["titles"] += bool(document.title)
        counts["images"] += document.images != ()
        if document.metadata:
            counts["metadata"] += of_document(document, kept)["metadata"]
            grade = grade_of(candidate)
            counts["grades"] += grade is not None
            counts["grade levels"] += grade not in (None, 0, 1)
    return counts


def counted(items: Iterable[T], features: Callable[[T], Counter[str]], into: Counter[str]) -> Iterator[T]:
    """The items unchanged, their features added up on the way."""
    for item in items:
        into.update(features(item))
        yield item


def losses(present: Counter[str], holds: frozenset[str]) -> list[str]:
    """One phrase per feature that is present and that the format cannot hold.

    >>> losses(Counter({"titles": 120, "scores": 0}), frozenset({"texts"}))
    ['titles of 120 documents (joined to the front of the text)']
    """
    lost = []
    for feature, unit in UNITS.items():
        if present[feature] and feature not in holds and not (feature == "grade levels" and "grades" not in holds):
            joined = " (joined to the front of the text)" if feature == "titles" and "texts" in holds else ""
            joined = " (every call with its output, repairs and usage)" if feature == "trace" else joined
            one = unit.removesuffix("s") if unit != "queries" else "query"
            lost.append(f"{feature} of {present[feature]} {one if present[feature] == 1 else unit}{joined}")
    return lost


def grade_of(candidate: Candidate) -> float | None:
    """The judgement that travels with the document, if there is one."""
    grade: Any = candidate.document.metadata.get(GRADE)
    return grade if isinstance(grade, (int, float)) and not isinstance(grade, bool) else None
