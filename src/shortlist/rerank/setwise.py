"""Setwise: a model names the best of a few passages; a heap, bubble or insertion sort finds the top k.

Source: Zhuang et al. 2024, arXiv 2310.09497 (Setwise); insertion: Podolak et al. 2025, arXiv 2504.10509.

``children`` + 1 passages are shown at once: the paper's "c = 3" is ``children=2``, its code's default is 3. Unlike
the authors' optimised bubble sort, ours is exact with a perfect judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import Pick, Winner
from ..schedules import BubbleTopK, HeapTopK, InsertionTopK
from ._language_model import asking

paradigm = "setwise"
extra = "http or local"

SORTS = {"heap": HeapTopK, "bubble": BubbleTopK, "insertion": InsertionTopK}


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "setwise",
    sort: Literal["heap", "bubble", "insertion"] = "heap",
    readout: Literal["generation", "likelihood"] = "generation",
    children: int = 3,
    k: int = 10,
) -> Scheduled:
    """model, options: see ``_language_model``. readout: the written label, or the likelihoods of all labels."""
    reads = Pick(identifiers="letters") if readout == "generation" else Winner()
    return Scheduled(asking(prompt, reads, model, backend, options), SORTS[sort](children=children, k=k))
