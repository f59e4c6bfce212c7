"""Cosine of every document with one vector for the query *and* the first documents of the list (pseudo-relevance
feedback inside the encoder).

Source: Liu et al. 2025, arXiv 2510.22733 (E2Rank). Checked against the authors' ``EvalModel`` (tests/language_models).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import ConfigError
from ..core.protocols import Capability, Comparable, Prompt, PromptEmbedBackend, ScoredGroup
from ..core.types import Call, Scale, Usage
from ._fit import Spent, fits, split_for, tokens_read
from .passages import Aggregate, aggregate, split_all, split_repair


@dataclass(frozen=True)
class ListQuery:
    """The vector of a prompt that shows the query and the first ``shown`` documents takes the query's place.

    All documents of the group are scored, also those that the prompt does not show; equal texts are encoded once per
    call, and counted once per query. Tokens are counted where the backend has ``measure`` and ``lengths``. The scores
    depend on the documents shown, so they are not comparable between groups.
    """

    prompt: Prompt
    backend: PromptEmbedBackend
    shown: int = 20
    aggregate: Aggregate = "max"

    def __post_init__(self) -> None:
        fits("ListQuery", self.backend, Capability.EMBED)
        fits("ListQuery", self.backend, Capability.EMBED_PROMPTS)
        if self.shown < 1:
            raise ConfigError(f"shown={self.shown}: expected 1 or more")

    @property
    def comparable(self) -> Comparable:
        return "within"

    @property
    def max_group(self) -> int | None:
        return None

    @property
    def scale(self) -> Scale:
        return Scale.COSINE

    def requests_for(self, n: int) -> int:
        """Requests about one group of ``n``: the prompt, and a vector per document (which an index may hold)."""
        return 1 + n

    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        asked = [self.prompt.render(query, candidates[: self.shown], labels=()) for query, candidates in groups]
        queries = self.backend.embed_prompts(asked)
        texts = [c.document.full_text for _, candidates in groups for c in candidates]
        passages, counts = split_all(texts, split_for(self.backend, ""))
        distinct = list(dict.fromkeys(passages))
        rows = dict(zip(distinct, self.backend.embed(distinct, kind="document"), strict=True)) if distinct else {}
        spent = Spent({}, tokens_read(self.backend, distinct, "document"))
        measure = getattr(self.backend, "measure", None)
        calls, document, passage = [], 0, 0
        for (query, candidates), request, vector in zip(groups, asked, queries, strict=True):
            sizes = counts[document : document + len(candidates)]
            texts = passages[passage : passage + sum(sizes)]
            similar = [float(vector @ rows[text]) for text in texts]
            split = [r for size in sizes for r in split_repair(size)]
            scores = tuple(aggregate(similar, sizes, self.aggregate))
            repairs = (*request.repairs, *split)
            usage = Usage(1, measure(request) if measure else 0) + spent.on(query, texts)
            calls.append(Call(tuple(c.id for c in candidates), scores, "", repairs, usage))
            document, passage = document + len(candidates), passage + sum(sizes)
        return calls
