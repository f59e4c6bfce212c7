"""Pointwise grade after reasoning.

Source: Cai et al. 2025, arXiv 2509.00520 (ERank).

The paper weights the grade by its probability; here it is the plain grade, because a request yields text or label
logits, not both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import Rating
from ..schedules import Map
from ._language_model import asking

paradigm = "pointwise"
extra = "http or local"

CHECK = {"high": 200.0}  # the oracle's grades go beyond 10


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "erank",
    low: float = 0.0,
    high: float = 10.0,
) -> Scheduled:
    """model, options: see ``_language_model``. backend: used instead of a model. low, high: the scale."""
    return Scheduled(asking(prompt, Rating(low, high), model, backend, options), Map())
