"""Pointwise grade after reasoning.

Source: Cai et al. 2025, arXiv 2509.00520 (ERank).

The score is the grade times the probability of the tokens that spell it, which breaks ties between equal grades; so the
backend must say how probable its tokens were (``weight="none"`` for one that cannot: then the score is the grade). A
grade whose probability did not come back counts as it is, with the repair ``unweighted``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

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
    weight: Literal["probability", "none"] = "probability",
) -> Scheduled:
    """model, options: see ``_language_model``. low, high: the scale. weight: by what the grade is multiplied."""
    return Scheduled(asking(prompt, Rating(low, high, weight=weight), model, backend, options), Map())
