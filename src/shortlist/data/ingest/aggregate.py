"""Rankings of passages to rankings of the documents they come from.

Source: Dai and Callan 2019, SIGIR (FirstP, MaxP); the mean stands in for their sum, which favours long documents.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

from ...core.errors import ConfigError
from ...core.types import Candidate, Ranking

Aggregate = Literal["max", "first", "mean"]


def by_document(ranking: Ranking, how: Aggregate = "max") -> Ranking:
    """One candidate per document (``metadata["doc_id"]``; a passage without one is a document), best first.

    max: the score of its best passage; mean: of those that were ranked, not of all it has; first: of its earliest
    ranked passage (smallest ``start``). The text is that of its best passage; ``metadata["ranked_passages"]`` lists the
    ids of all. Equal scores keep the order of the best passages. Raises ConfigError for passages without scores.
    """
    if how not in ("max", "first", "mean"):
        raise ConfigError(f"aggregate={how!r}: expected 'max', 'first' or 'mean'")
    groups: dict[str, list[Candidate]] = {}
    for candidate in ranking.candidates:
        if candidate.score is None:
            raise ConfigError(f"query {ranking.query.id!r}: passage {candidate.id!r} has no score to aggregate")
        groups.setdefault(str(candidate.document.metadata.get("doc_id", candidate.id)), []).append(candidate)
    documents = [_merge(doc_id, group, how) for doc_id, group in groups.items()]
    documents.sort(key=lambda c: -c.score if c.score is not None else math.inf)
    return replace(ranking, candidates=tuple(documents))


def _merge(doc_id: str, group: list[Candidate], how: Aggregate) -> Candidate:
    best = group[0]
    scores = [c.score for c in group if c.score is not None]
    if how == "max":
        score = max(scores)
    elif how == "mean":
        score = sum(scores) / len(scores)
    else:
        earliest = min(group, key=_start).score
        score = earliest if earliest is not None else scores[0]
    metadata = {**best.document.metadata, "ranked_passages": tuple(c.id for c in group)}
    return replace(best, document=replace(best.document, id=doc_id, metadata=metadata), score=score)


def _start(candidate: Candidate) -> int:
    start = candidate.document.metadata.get("start", 0)
    return start if isinstance(start, int) else 0
