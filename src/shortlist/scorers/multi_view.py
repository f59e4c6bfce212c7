"""Relevance as agreement with an anchor: several vectors per passage, and what a decoder makes of each over the list.

Source: MVP (arXiv 2509.07485). Passages are read alone, with the query; the decoder sees a view of all of them as a
set, so the scores do not depend on the order in which passages are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.errors import ConfigError
from ..core.exchange import Request, Views
from ..core.protocols import Capability, Comparable, Prompt, ScoredGroup, ViewsBackend
from ..core.types import Call, Scale
from ._fit import fits


@dataclass(frozen=True)
class MultiView:
    """Scores a list by the mean over views of (vector of the passage) . (anchor of the list).

    prompt: a template with layout ``segments``, or that template ``Fitted``. tokens: the control tokens that stand in
    front of each text, one per view.
    """

    prompt: Prompt
    backend: ViewsBackend
    tokens: tuple[str, ...] = ("<extra_id_0>", "<extra_id_1>", "<extra_id_2>", "<extra_id_3>")

    def __post_init__(self) -> None:
        fits("MultiView", self.backend, Capability.VIEWS)
        if not self.tokens:
            raise ConfigError("tokens=(): expected at least one control token, such as '<extra_id_0>'")

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
        requests = [
            replace(self.prompt.render(query, candidates, labels=()), group=(query, tuple(candidates)))
            for query, candidates in groups
        ]
        found = self.backend.views(requests, self.tokens)
        return [_call(*one) for one in zip(groups, requests, found, strict=True)]


def _call(group: ScoredGroup, request: Request, found: Views) -> Call:
    agreement = np.einsum("nvd,vd->nv", found.texts, found.anchors, dtype=np.float64).mean(1)
    scores = tuple(float(value) for value in agreement)
    return Call(tuple(c.id for c in group[1]), scores, "", (*request.repairs, *found.repairs), found.usage)
