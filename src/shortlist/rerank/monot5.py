"""Pointwise log-odds of true against false at the first decoder step.

Source: Nogueira et al. 2020, arXiv 2003.06713 (monoT5).

Multilingual checkpoints use other words: give yes and no.
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
    prompt: str = "monot5",
    yes: str = "true",
    no: str = "false",
) -> Scheduled:
    """model, options: see ``_language_model``. backend: used instead of a model. yes, no: the words."""
    return Scheduled(asking(prompt, YesNo(yes, no), model, backend, options), Map())
