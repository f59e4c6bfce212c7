"""Listwise order of named passages, for completion and chat models.

Source: Ma et al. 2023, arXiv 2305.02156 (LRL).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import Permutation
from ..schedules import SlidingWindow
from ._language_model import asking

paradigm = "listwise"
extra = "http or local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "lrl",
    window: int = 20,
    stride: int = 10,
    passes: int = 1,
) -> Scheduled:
    """model, options: see ``_language_model``. backend: used instead of a model. passes: sweeps over the list."""
    scorer = asking(prompt, Permutation(form="named"), model, backend, options)
    return Scheduled(scorer, SlidingWindow(window, stride, passes))
