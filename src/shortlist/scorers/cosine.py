"""Pointwise cosine between the vectors of query and document (a bi-encoder used as a reranker).

Source: Reimers and Gurevych 2019, arXiv 1908.10084.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.protocols import Capability, Comparable, EmbedBackend, ScoredGroup
from ..core.types import Call, Scale
from ._fit import Spent, fits, query_repairs, split_for, tokens_read
from .passages import Aggregate, aggregate, split_all, split_repair


@dataclass(frozen=True)
class Cosine:
    """Query and documents are encoded apart; equal texts are encoded once per call. Usage counts a text once per query,
    where it is met first, whatever other queries are in the same call.

    aggregate: how the passages of one long document become its score.
    """

    backend: EmbedBackend
    aggregate: Aggregate = "max"

    def __post_init__(self) -> None:
        fits("Cosine", self.backend, Capability.EMBED)

    @property
    def comparable(self) -> Comparable:
        return "across"

    @property
    def max_group(self) -> int | None:
        return None

    @property
    def scale(self) -> Scale:
        return Scale.COSINE

    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        queries = list(dict.fromkeys(query.text for query, _ in groups))
        texts = [c.document.full_text for _, candidates in groups for c in candidates]
        passages, counts = split_all(texts, split_for(self.backend, ""))
        distinct = list(dict.fromkeys(passages))
        query_rows = dict(zip(queries, self.backend.embed(queries, kind="query"), strict=True))
        rows = dict(zip(distinct, self.backend.embed(distinct, kind="document"), strict=True)) if distinct else {}
        spent = Spent(tokens_read(self.backend, queries, "query"), tokens_read(self.backend, distinct, "document"))
        told = query_repairs(self.backend, [query for query, _ in groups])
        calls, document, passage = [], 0, 0
        for (query, candidates), said in zip(groups, told, strict=True):
            sizes = counts[document : document + len(candidates)]
            shown = passages[passage : passage + sum(sizes)]
            similar = [float(query_rows[query.text] @ rows[text]) for text in shown]
            repairs = (*said, *(r for size in sizes for r in split_repair(size)))
            scores = tuple(aggregate(similar, sizes, self.aggregate))
            calls.append(Call(tuple(c.id for c in candidates), scores, "", repairs, spent.on(query, shown)))
            document, passage = document + len(candidates), passage + sum(sizes)
        return calls
