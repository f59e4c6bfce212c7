"""Pointwise scores from a model that reads query and document together (a cross-encoder).

Source: Nogueira and Cho 2019, arXiv 1901.04085.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..core.errors import ConfigError
from ..core.protocols import Capability, Comparable, PairBackend, ScoredGroup
from ..core.types import Call, Candidate, Document, Query, Repair, Scale, Usage
from ._fit import cuts, fits, query_repairs, split_for
from .passages import Aggregate, aggregate, split_all, split_repair


@dataclass(frozen=True)
class Pairs:
    """Each document alone with the query; long documents are split where the backend can (``split_document``).

    aggregate: how the passages of one document become its score. titled: ``plain`` puts a blank between title and text;
    ``tevatron`` also without a title, and has blanks for the hyphens of titles (MS MARCO's sign for none), as RankLLaMA
    was trained.

    Tokens are counted where the backend has ``pair_tokens``; others (``PairScorer``) would have to tokenise twice.
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
        tokens, cut = self._tokens(pairs), self._cut(shown)
        told = query_repairs(self.backend, [query for query, _ in groups])
        calls, start, first = [], 0, 0
        for (_, candidates), said in zip(groups, told, strict=True):
            end, last = start + len(candidates), first + sum(counts[start : start + len(candidates)])
            split = (r for count in counts[start:end] for r in split_repair(count))
            repairs = (*said, *(cut[i] for i in range(start, end) if i in cut), *split)
            usage = Usage(calls=last - first, prompt_tokens=sum(tokens[first:last]))
            calls.append(Call(tuple(c.id for c in candidates), tuple(scores[start:end]), "", repairs, usage))
            start, first = end, last
        return calls

    def _tokens(self, pairs: Sequence[tuple[str, str]]) -> Sequence[int]:
        """Tokens of each pair, where the backend counts them cheaply; else nothing."""
        count = getattr(self.backend, "pair_tokens", None)
        return count(pairs) if count is not None else ()

    def _cut(self, shown: Sequence[tuple[Query, Candidate]]) -> dict[int, Repair]:
        """By position: documents that lose their end to a limit on documents (``document_tokens``), which few backends
        have; without one they are split, and nothing is lost."""
        if getattr(self.backend, "document_tokens", None) is None:
            return {}
        texts = [titled_text(candidate.document, self.titled) for _, candidate in shown]
        short = cuts(self.backend, texts, "document")
        return {
            i: Repair("passage_cut", detail=f"{candidate.id}: {short[text]}")
            for i, ((_, candidate), text) in enumerate(zip(shown, texts, strict=True))
            if text in short
        }


def titled_text(document: Document, titled: Literal["plain", "tevatron"] = "plain") -> str:
    """Title and text as one string.

    >>> titled_text(Document("d", "is a city.", title="Saint-Denis"), "tevatron")
    'Saint Denis is a city.'
    """
    if titled == "plain":
        return document.full_text
    title = (document.title or "").replace("-", " ").strip()
    return f"{title} {document.text}".rstrip()
