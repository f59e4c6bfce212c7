"""Pointwise scores from a model that reads query and document together (a cross-encoder).

Source: Nogueira and Cho 2019, arXiv 1901.04085.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.protocols import Capability, Comparable, PairBackend, ScoredGroup
from ..core.types import Call, Scale, Usage
from ._fit import fits, query_repairs, split_for
from .passages import Aggregate, aggregate, split_all, split_repair


@dataclass(frozen=True)
class Pairs:
    """Each document alone with the query; long documents are split where the backend can (``split_document``).

    aggregate: how the passages of one document become its score.
    """

    backend: PairBackend
    aggregate: Aggregate = "max"

    def __post_init__(self) -> None:
        fits("Pairs", self.backend, Capability.PAIR_SCORES)

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
            passages, _ = split_all([candidate.document.full_text], split_for(self.backend, query.text))
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
