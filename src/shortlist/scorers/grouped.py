"""Scores from a model that reads the documents of a group together and gives each a number (GLiClass)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.protocols import Capability, Comparable, GroupBackend, ScoredGroup
from ..core.types import Call, Scale
from ._fit import fits, query_repairs


@dataclass(frozen=True)
class Grouped:
    """One call per group. A document's number depends on the others in its group and on their order.

    So the numbers order a group and are not compared between groups: ``Map`` over chunks and ``RepeatShuffled`` are
    refused; windows, partitions, tournaments and ``RepeatOrders`` around any of them are what fits.
    """

    backend: GroupBackend

    def __post_init__(self) -> None:
        fits("Grouped", self.backend, Capability.GROUP_SCORES)

    @property
    def comparable(self) -> Comparable:
        return "within"

    @property
    def max_group(self) -> int | None:
        return self.backend.most

    @property
    def scale(self) -> Scale:
        return self.backend.scale

    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        readings = self.backend.group_scores([(q.text, [c.document.full_text for c in shown]) for q, shown in groups])
        told = query_repairs(self.backend, [query for query, _ in groups])
        return [
            Call(tuple(c.id for c in shown), reading.scores, "", (*repairs, *reading.repairs), reading.usage)
            for (_, shown), repairs, reading in zip(groups, told, readings, strict=True)
        ]
