"""Rankings with judgements as training samples: grades attached, and positives that the first stage missed added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..core.protocols import Corpus
from ..core.types import Candidate, Ranking
from ..formats.features import grade_of
from ..formats.graded import Grades, graded, with_grades


def with_positives(rankings: Iterable[Ranking], judged: Grades, corpus: Corpus) -> Iterator[Ranking]:
    """The rankings with grades; documents graded above 0 that a ranking lacks stand at its end, without a score.

    Raises MissingDocument for a judged document that the corpus does not have.
    """
    for ranking in with_grades(rankings, judged):
        known, present = judged.get(ranking.query.id, {}), set(ranking.ids)
        missed = (doc_id for doc_id, grade in known.items() if grade > 0 and doc_id not in present)
        added = tuple(Candidate(graded(corpus[doc_id], known[doc_id])) for doc_id in missed)
        yield replace(ranking, candidates=(*ranking.candidates, *added))


def is_positive(candidate: Candidate) -> bool:
    """True for a document that is judged relevant; an unjudged one is not."""
    return (grade_of(candidate) or 0) > 0
