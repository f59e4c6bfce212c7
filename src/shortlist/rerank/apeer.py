"""RankGPT's windows with an automatically optimised prompt; the ranking stands between two marks.

Source: Jin et al. 2024, arXiv 2406.14449 (APEER).

Window 20, stride 10, as RankGPT. The prompt has the published form (criteria, ``[rankstart] ... [rankend]``) in our
words, so the paper's numbers belong to another wording.
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
    prompt: str = "apeer",
    window: int = 20,
    stride: int = 10,
    passes: int = 1,
) -> Scheduled:
    """model, options: see ``_language_model``. backend: used instead of a model. passes: sweeps over the list."""
    return Scheduled(asking(prompt, Permutation(), model, backend, options), SlidingWindow(window, stride, passes))
