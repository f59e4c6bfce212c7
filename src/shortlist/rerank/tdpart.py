"""Top-down partitioning: sort the head, then compare every later block with a pivot, in parallel.

Source: Parry et al. 2024, arXiv 2405.14589 (TDPart).

Window 20, pivot at rank 10. The reference code loses candidates and puts leftovers in the wrong order; this schedule
is exact with a perfect judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import Permutation
from ..schedules import TopDownPartition
from ._language_model import asking

paradigm = "listwise"
extra = "http or local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "tdpart",
    window: int = 20,
    cut: int = 10,
) -> Scheduled:
    """model, options: see ``_language_model``. cut: rank of the pivot, and how many leading ranks are exact."""
    return Scheduled(asking(prompt, Permutation(), model, backend, options), TopDownPartition(window, cut))
