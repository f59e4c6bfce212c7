"""Setwise with reasoning: the best of 20 in answer tags, in a heap, each set shuffled.

Source: Zhuang et al. 2025, arXiv 2503.06034 (Rank-R1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import Pick, TaggedAnswer
from ..schedules import HeapTopK, ShuffledGroups
from ._language_model import asking

paradigm = "setwise"
extra = "http or local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "rank-r1",
    children: int = 19,
    k: int = 10,
    seed: int = 0,
) -> Scheduled:
    """model, options: see ``_language_model``. seed: of the shuffling inside each set."""
    scorer = asking(prompt, TaggedAnswer(Pick(take="last"), on_missing="invalid"), model, backend, options)
    return Scheduled(scorer, ShuffledGroups(HeapTopK(children, k), seed))
