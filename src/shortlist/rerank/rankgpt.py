"""Listwise: a model writes the order of a window, and windows slide from the back of the list to its head.

Source: Sun et al. 2023, arXiv 2304.09542 (RankGPT).

Window 20, stride 10 (section 4.1), one turn per passage. Unlike the reference loop, the last window always starts at
rank 1. ``prompt`` may name any listwise template.
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
    prompt: str = "rankgpt",
    window: int = 20,
    stride: int = 10,
    passes: int = 1,
) -> Scheduled:
    """model, options: see ``_language_model``. backend: used instead of a model. passes: sweeps over the list."""
    scorer = asking(prompt, Permutation(), model, backend, options)
    return Scheduled(scorer, SlidingWindow(window, stride, passes))
