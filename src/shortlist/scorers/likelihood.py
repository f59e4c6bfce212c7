"""Pointwise scores by how probable a language model finds a text about the query behind a prompt with the document.

Sources: query likelihood (Ponte and Croft 1998, SIGIR); UPR (Sachan et al. 2022, arXiv 2204.07496) for prompted models.
Only models whose probabilities of a given text can be read: local ones. It does not know what the prompt asks for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..core.errors import ConfigError
from ..core.exchange import Likelihood, Request
from ..core.protocols import Capability, Comparable, LikelihoodBackend, Prompt, ScoredGroup
from ..core.types import MISSING, Call, Candidate, Query, Repair, Scale
from ..prompts import Fitted
from ..prompts.tokens import count_tokens
from ._fit import fits


@dataclass(frozen=True)
class QueryLikelihood:
    """Each document alone: the log-likelihood of ``target`` behind its prompt.

    target: what the model is to find probable, with ``{query}`` once. output: ``sum`` over its tokens, or their
    ``mean``; the order of one query's documents is the same, but only means compare across queries of different
    lengths. eos: that the text ends there counts as one token more.
    """

    prompt: Prompt
    backend: LikelihoodBackend
    target: str = "{query}"
    output: Literal["sum", "mean"] = "sum"
    eos: bool = False

    def __post_init__(self) -> None:
        fits("QueryLikelihood", self.backend, Capability.NLL)
        if self.target.count("{query}") != 1:
            raise ConfigError(f"target={self.target!r}: expected {{query}} in it once")
        if self.output not in ("sum", "mean"):
            raise ConfigError(f"output={self.output!r}: expected 'sum' or 'mean'")

    @property
    def requires(self) -> frozenset[Capability]:
        return frozenset({Capability.NLL})

    @property
    def comparable(self) -> Comparable:
        return "across"

    @property
    def max_group(self) -> int | None:
        return 1

    @property
    def scale(self) -> Scale:
        return Scale.LIKELIHOOD

    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        targets = [self.target.replace("{query}", query.text) for query, _ in groups]
        requests = [self._request(*group, target) for group, target in zip(groups, targets, strict=True)]
        found = self.backend.nll(list(zip(requests, targets, strict=True)), eos=self.eos)
        return [
            self._call(candidates, request, likelihood)
            for (_, candidates), request, likelihood in zip(groups, requests, found, strict=True)
        ]

    def _request(self, query: Query, candidates: Sequence[Candidate], target: str) -> Request:
        prompt = self.prompt
        if isinstance(prompt, Fitted):  # a model without a decoder of its own reads the target in the same window
            room = prompt.context - count_tokens(target, prompt.tokenizer) - self.eos
            prompt = replace(prompt, context=max(1, room))
        request = prompt.render(query, candidates, labels=())
        return replace(request, group=(query, tuple(candidates)))

    def _call(self, candidates: Sequence[Candidate], request: Request, likelihood: Likelihood) -> Call:
        score = likelihood.value if self.output == "sum" else likelihood.mean
        known = math.isfinite(score)
        lost = () if known else (Repair("no_likelihood", detail=str(score)),)
        ids = tuple(c.id for c in candidates)
        return Call(ids, (score if known else MISSING,), "", (*request.repairs, *lost), likelihood.usage)
