"""What an evaluation of one run says: values, means, the ceiling, ties, and which queries count for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import UnknownName

TOP = 10  # unjudged documents are counted in this many first places


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which queries entered the figures, and how.

    judged: queries in the judgements; every mean is over these. missing: not in the run, counted as 0.
    unscored: the reranker failed on them (status ``unscored``), counted as 0. empty: in the run without a document,
    counted as 0. partial: a budget ended first; evaluated as they are. ignored: in the run, but without judgements.
    without_relevant: judged, but nothing was found relevant, so that nearly every measure is 0 whatever the run does.
    tied_documents: documents whose score equals a neighbour's, in tied_queries queries.
    top, unjudged_top: documents in the first ten places, and how many of them nobody judged.
    """

    judged: int
    missing: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    without_relevant: tuple[str, ...] = ()
    tied_documents: int = 0
    tied_queries: int = 0
    top: int = 0
    unjudged_top: int = 0

    @property
    def zeros(self) -> tuple[str, ...]:
        """Queries that count as 0 because there is no ranking for them."""
        return (*self.missing, *self.unscored, *self.empty)

    @property
    def unjudged_share(self) -> float:
        """Share of the documents in the first ten places that nobody judged; they count as not relevant."""
        return self.unjudged_top / self.top if self.top else 0.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One run against judgements.

    values: measure -> query -> value, every judged query included. means: measure -> figure for the run (the sum for
    counts such as NumRet). ceiling: the same figure had an oracle reranked the run's own candidates, which no
    reranker of them can pass. tie_range: lowest and highest figure over all orders of documents with equal scores.
    Measures of ir-measures have no ceiling and no tie_range. first_stage: the ranking before the reranker, or None.
    """

    name: str
    values: Mapping[str, Mapping[str, float]]
    means: Mapping[str, float]
    ceiling: Mapping[str, float]
    tie_range: Mapping[str, tuple[float, float]]
    coverage: Coverage
    first_stage: Evaluation | None = None

    @property
    def measures(self) -> tuple[str, ...]:
        return tuple(self.means)

    def __getitem__(self, measure: str) -> float:
        """The figure for the run, by the measure's canonical name."""
        if measure not in self.means:
            raise UnknownName("measure in this evaluation", measure, self.means)
        return self.means[measure]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data for JSON."""
        c = self.coverage
        return {
            "name": self.name,
            "means": dict(self.means),
            "ceiling": dict(self.ceiling),
            "tie_range": {m: list(r) for m, r in self.tie_range.items()},
            "coverage": {
                "judged": c.judged,
                "missing": list(c.missing),
                "unscored": list(c.unscored),
                "empty": list(c.empty),
                "partial": list(c.partial),
                "ignored": list(c.ignored),
                "without_relevant": list(c.without_relevant),
                "tied_documents": c.tied_documents,
                "tied_queries": c.tied_queries,
                "documents_in_top_10": c.top,
                "unjudged_in_top_10": c.unjudged_top,
            },
            "values": {m: dict(v) for m, v in self.values.items()},
            "first_stage": None if self.first_stage is None else self.first_stage.to_dict(),
        }
