"""Listwise order from the logits of the first identifier: one token per window instead of a whole list.

Source: Gangi Reddy et al. 2024, arXiv 2406.15657 (FIRST), section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import FirstToken
from ..schedules import SlidingWindow
from ._language_model import asking

paradigm = "listwise"
extra = "http or local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "first",
    window: int = 20,
    stride: int = 10,
    passes: int = 1,
) -> Scheduled:
    """model, options: see ``_language_model``. backend: used instead of a model. passes: sweeps over the list."""
    scorer = asking(prompt, FirstToken(), model, backend, options)
    return Scheduled(scorer, SlidingWindow(window, stride, passes))
