"""Rankings whose right order is known: a document's text begins with its relevance, which is what fake backends
read."""

from __future__ import annotations

import random

from ..core.types import Candidate, Document, Query, Ranking, Scale

SIZES = (0, 1, 2, 19, 20, 21, 25, 39, 41, 95, 101, 137)
"""Around every border of the usual windows: empty, one, a window of 20 and its neighbours, ends that do not divide."""


def make_ranking(n: int, *, seed: int = 0, query_id: str = "q1", text: str = "what is most relevant?") -> Ranking:
    """``n`` documents of relevance 0 .. n-1, shuffled; first-stage scores fall from n to 1."""
    relevance = list(range(n))
    random.Random(seed).shuffle(relevance)
    candidates = tuple(
        Candidate(Document(f"d{r}", f"{r} is the relevance of this passage"), float(n - position))
        for position, r in enumerate(relevance)
    )
    return Ranking(Query(query_id, text), candidates, scale=Scale.LEXICAL)


def true_order(n: int) -> tuple[str, ...]:
    """Ids of ``make_ranking(n)``, best first."""
    return tuple(f"d{r}" for r in range(n - 1, -1, -1))
