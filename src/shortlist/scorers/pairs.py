"""Pointwise scores from a model that reads query and document together (a cross-encoder).

Source: Nogueira and Cho 2019, arXiv 1901.04085.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..core.errors import ConfigError
from ..core.protocols import Capability, Comparable, PairBackend, ScoredGroup
from ..core.types import Call, Document, Scale, Usage
from ._fit import fits, query_repairs, split_for
from .passages import Aggregate, aggregate, split_all, split_repair


@dataclass(frozen=True)
class Pairs:
    """Each document alone with the query; long documents are split where the backend can (``split_document``).

    aggregate: how the passages of one document become its score. titled: ``plain`` puts a blank between title and text;
    ``tevatron`` also without a title, and has blanks for the hyphens of titles (MS MARCO's sign for none), as RankLLaMA
    was trained.
    """

    backend: PairBackend
    aggregate: Aggregate = "max"
    titled: Literal["plain", "tevatron"] = "plain"

    def __post_init__(self) -> None:
        fits("Pairs", self.backend, Capability.PAIR_SCORES)
        if self.titled not in ("plain", "tevatron"):
            raise ConfigError(f"titled={self.titled!r}: expected 'plain' or 'tevatron'")

    @property
    def comparable(self) -> Comparable:
        return "across"

    @property
    def max_group(self) -> int | None:
        return None

    @property
    def scale(self) -> Scale:
        return self.backend.scale

    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        shown = [(query, candidate) for query, candidates in groups for candidate in candidates]
        pairs: list[tuple[str, str]] = []
        counts: list[int] = []
        for query, candidate in shown:
            passages, _ = split_all([titled_text(candidate.document, self.titled)], split_for(self.backend, query.text))
            pairs += [(query.text, passage) for passage in passages]
            counts.append(len(passages))
        scores = aggregate(self.backend.pair_scores(pairs) if pairs else [], counts, self.aggregate)
        calls, start = [], 0
        for query, candidates in groups:
            end = start + len(candidates)
            split = (r for count in counts[start:end] for r in split_repair(count))
            repairs = (*query_repairs(self.backend, query), *split)
            usage = Usage(calls=sum(counts[start:end]))
            calls.append(Call(tuple(c.id for c in candidates), tuple(scores[start:end]), "", repairs, usage))
            start = end
        return calls


def titled_text(document: Document, titled: Literal["plain", "tevatron"] = "plain") -> str:
    """Title and text as one string.

    >>> titled_text(Document("d", "is a city.", title="Saint-Denis"), "tevatron")
    'Saint Denis is a city.'
    """
    if titled == "plain":
        return document.full_text
    title = (document.title or "").replace("-", " ").strip()
    return f"{title} {document.text}".rstrip()
