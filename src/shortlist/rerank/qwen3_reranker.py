"""Pointwise log-odds of yes against no behind an empty thinking block (Qwen3-Reranker).

Source: Zhang et al. 2025, arXiv 2506.05176.

The log-odds order as the published probability does, and do not saturate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import YesNo
from ..schedules import Map
from ._language_model import asking

paradigm = "pointwise"
extra = "http or local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "qwen3-reranker",
    yes: str = "yes",
    no: str = "no",
) -> Scheduled:
    """model, options: see ``_language_model``. backend: used instead of a model. yes, no: the words."""
    return Scheduled(asking(prompt, YesNo(yes, no), model, backend, options), Map())
