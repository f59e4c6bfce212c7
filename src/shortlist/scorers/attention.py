"""Relevance as attention: how much a language model, about to answer a query, looks at each passage of the list.

Source: Chen et al. 2024, arXiv 2410.02642 (ICR), section 3; modes and details as in OSU-NLP-Group/In-Context-Reranking
9117e9f. The same list with "N/A" in place of the query shows what is looked at whatever the query is; it is taken off
per token, and tokens that then lie far below the others of their passage are left out. The sum is not divided by
length: long passages have more tokens to be looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..core.errors import ConfigError, InputError
from ..core.exchange import AttentionMass, Request
from ..core.protocols import AttentionBackend, Capability, Comparable, Prompt, ScoredGroup
from ..core.types import Call, Scale
from ._fit import fits

Mode = Literal["masked_NA_calibration", "NA_calibration_no_agg", "query_last", "attention_sorting", "NA_only"]
Rows = Literal["mean", "last"]


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a mode reads: whose attention (``query``, ``blank`` or the difference), of which rows, and the mask."""

    of: Literal["query", "blank", "difference"]
    rows: Rows = "mean"
    masked: bool = False


MODES: dict[Mode, _Reading] = {
    "masked_NA_calibration": _Reading("difference", masked=True),
    "NA_calibration_no_agg": _Reading("difference", rows="last"),
    "query_last": _Reading("query"),
    "attention_sorting": _Reading("query", rows="last"),
    "NA_only": _Reading("blank"),
}
"""The authors' names. ``NA_only`` is no ranking by relevance: it shows the bias that calibration takes off."""


@dataclass(frozen=True)
class InContext:
    """Scores a list by the attention that its passages get from the end of one prompt.

    prompt: a template with a ``tail``, or that template ``Fitted``. mode: see ``MODES``. reverse: show the list from
    its end, so that the first stage's best passage stands next to the query; calls name documents as they were given.
    """

    prompt: Prompt
    backend: AttentionBackend
    mode: Mode = "masked_NA_calibration"
    reverse: bool = True

    def __post_init__(self) -> None:
        fits("InContext", self.backend, Capability.ATTENTION_ROWS)
        if self.mode not in MODES:
            raise ConfigError(f"mode={self.mode!r}: expected one of {', '.join(MODES)}")
        template: Any = getattr(self.prompt, "template", self.prompt)
        needed = ("tail",) if MODES[self.mode].of == "query" else ("tail", "blank")
        lacking = [name for name in needed if getattr(template, name, None) == ""]
        if lacking:
            raise ConfigError(
                f"prompt {template.name!r} has no {lacking[0]}, which mode {self.mode!r} reads attention from; use "
                "'icr', 'icr-qa', or a template with tail and blank"
            )

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
        requests = [self._request(group) for group in groups]
        found = self.backend.attention(requests, rows=MODES[self.mode].rows)
        return [self._call(*one) for one in zip(groups, requests, found, strict=True)]

    def _request(self, group: ScoredGroup) -> Request:
        query, candidates = group
        shown = tuple(candidates[::-1] if self.reverse else candidates)
        request = replace(self.prompt.render(query, shown, labels=()), group=(query, shown))
        parts, of = request.parts, MODES[self.mode].of
        if parts is None or len(parts.tails) < (1 if of == "query" else 2):
            raise InputError(f"query {query.id!r}: the prompt came without the tails that mode {self.mode!r} reads")
        wanted = {"query": parts.tails[:1], "blank": parts.tails[1:2], "difference": parts.tails[:2]}[of]
        return replace(request, parts=replace(parts, tails=wanted))

    def _call(self, group: ScoredGroup, request: Request, found: AttentionMass) -> Call:
        masked = MODES[self.mode].masked
        scores = tuple(passage_score(*looks, masked=masked) for looks in zip(*found.mass, strict=True))
        back = scores[::-1] if self.reverse else scores
        return Call(tuple(c.id for c in group[1]), back, "", request.repairs, found.usage)


def passage_score(looks: Any, blank: Any = None, *, masked: bool = False) -> float:
    """The score of one passage from the attention on each of its tokens, with the query and with a blank one.

    masked: tokens whose difference is at most the mean less two standard deviations (n - 1) count nothing. A single
    token, and tokens that do not differ, are kept: the source's formula drops them, and with them the passage.

    >>> passage_score([0.5, 0.25], [0.25, 0.0])
    0.5
    """
    change = np.asarray(looks, np.float64) - (0.0 if blank is None else np.asarray(blank, np.float64))
    if masked and len(change) > 1:
        spread = change.std(ddof=1)
        change = change[(change > change.mean() - 2 * spread) | (spread == 0)]
    return float(change.sum())
