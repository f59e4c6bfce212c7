"""Pairwise: which of two passages is the better one, asked in both orders; all pairs, a heap, or bubble passes.

Source: Qin et al. 2023, arXiv 2306.17563 (PRP).

Modes are ``allpair``, ``sorting`` and ``sliding`` (k passes). Only an answer that is the same in both orders moves a
document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..core.protocols import GenerateBackend, Schedule
from ..drive import Scheduled
from ..readouts import Verdict
from ..schedules import AllPairs, BubbleTopK, HeapTopK
from ._language_model import asking

paradigm = "pairwise"
extra = "http or local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "prp",
    mode: Literal["allpair", "sorting", "sliding"] = "sliding",
    k: int = 10,
) -> Scheduled:
    """model, options: see ``_language_model``. k: leading ranks that are sorted; ``allpair`` sorts all."""
    schedules: dict[str, Schedule] = {
        "allpair": AllPairs(),
        "sorting": HeapTopK(2, k, both_orders=True),
        "sliding": BubbleTopK(1, k, both_orders=True),
    }
    return Scheduled(asking(prompt, Verdict(), model, backend, options), schedules[mode])
