"""Pointwise logit of 1 minus that of 0 (mxbai-rerank-v2).

Source: Li et al. 2025, arXiv 2506.03487 (ProRank).
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
extra = "local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "prorank",
    yes: str = "1",
    no: str = "0",
) -> Scheduled:
    """model, options: see ``_language_model``. backend: used instead of a model. yes, no: the words."""
    return Scheduled(asking(prompt, YesNo(yes, no), model, backend, options), Map())
