"""Listwise order from the label likelihoods of a setwise prompt: FIRST without training.

Source: Zhuang et al. 2024, arXiv 2310.09497 (Setwise), listwise likelihood.

Window 4, stride 2 and 5 passes are how the authors' README runs it: a pass carries two documents to the top, so five
sort the first ten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import Winner
from ..schedules import SlidingWindow
from ._language_model import asking

paradigm = "listwise"
extra = "http or local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "setwise",
    window: int = 4,
    stride: int = 2,
    passes: int = 5,
) -> Scheduled:
    """model, options: see ``_language_model``. backend: used instead of a model. passes: sweeps over the list."""
    scorer = asking(prompt, Winner(), model, backend, options)
    return Scheduled(scorer, SlidingWindow(window, stride, passes))
