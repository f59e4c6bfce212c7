"""Relevance as cross-attention: how much a decoder that has read all passages looks at each one while it answers.

Source: Tamber et al. 2023, arXiv 2312.16098 (LiT5-Score), section 3.2; details as in rank_llm's ``lit5/model.py``
(1b3cabb). The question's own tokens, which stand in every passage's text, are left out. The sum is not divided by
length: long passages have more tokens to be looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..core.exchange import Attended, Request
from ..core.protocols import Capability, Comparable, CrossAttentionBackend, Prompt, ScoredGroup
from ..core.types import Call, Scale
from ..prompts.slots import fill
from ._fit import fits

_PER_LAYER = 256  # the source divides every sum by 256 x layers, whatever the length; it changes no order


@dataclass(frozen=True)
class CrossAttention:
    """Scores a list by the attention that its texts get; the answer is the call's output.

    prompt: a template with layout ``segments``, or that template ``Fitted``. lead: what each of its texts begins with
    and what is not counted, {query} filled in.
    """

    prompt: Prompt
    backend: CrossAttentionBackend
    lead: str = "question: {query}"

    def __post_init__(self) -> None:
        fits("CrossAttention", self.backend, Capability.CROSS_ATTENTION)

    @property
    def comparable(self) -> Comparable:
        return "within"

    @property
    def max_group(self) -> int | None:
        return None

    @property
    def scale(self) -> Scale:
        return Scale.RELATIVE

    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        """One call per group."""
        asked = []
        for query, candidates in groups:
            request = self.prompt.render(query, candidates, labels=())
            request = replace(request, group=(query, tuple(candidates)))
            asked.append((request, fill(self.lead, {"query": query.text})))
        found = self.backend.cross_attention(asked)
        return [_call(group, r, one) for group, (r, _), one in zip(groups, asked, found, strict=True)]


def _call(group: ScoredGroup, request: Request, found: Attended) -> Call:
    answer = found.completion
    scores = tuple(mass / (_PER_LAYER * found.layers) for mass in found.masses)
    return Call(tuple(c.id for c in group[1]), scores, answer.text, (*request.repairs, *answer.repairs), answer.usage)
