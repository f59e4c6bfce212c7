"""Listwise order after reasoning (Rearank).

Source: Zhang et al. 2025, arXiv 2505.20046 (Rearank).

The prompt is the authors', which their checkpoint Rearank-7B was released with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import Permutation, TaggedAnswer
from ..schedules import SlidingWindow
from ._language_model import asking

paradigm = "listwise"
extra = "http or local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "rearank",
    window: int = 20,
    stride: int = 10,
    passes: int = 1,
) -> Scheduled:
    """model, options: see ``_language_model``. backend: used instead of a model. passes: sweeps over the list."""
    scorer = asking(prompt, TaggedAnswer(Permutation()), model, backend, options)
    return Scheduled(scorer, SlidingWindow(window, stride, passes))
