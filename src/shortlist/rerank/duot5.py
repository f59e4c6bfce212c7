"""Pairwise probabilities over all ordered pairs, summed per document.

Source: Pradeep et al. 2021, arXiv 2101.05667 (duoT5).

Sum aggregation: +p for the first, +(1 - p) for the second. It asks n(n - 1) pairs, so it belongs behind another
reranker: ``load("monot5", ...) % 50 >> load("duot5", ...)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import FirstBeatsSecond
from ..schedules import AllPairs
from ._language_model import asking

paradigm = "pairwise"
extra = "local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "duot5",
    yes: str = "true",
    no: str = "false",
) -> Scheduled:
    """model, options: see ``_language_model``. yes, no: the words."""
    return Scheduled(asking(prompt, FirstBeatsSecond(yes, no), model, backend, options), AllPairs(points="sum"))
