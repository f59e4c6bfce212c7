"""Pointwise log-odds of Yes against No from any chat model.

Source: Liang et al. 2022, arXiv 2211.09110 (HELM), as in Zhuang et al. 2024, arXiv 2310.09497 (pointwise yes_no).
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
    prompt: str = "yes-no",
    yes: str = "Yes",
    no: str = "No",
) -> Scheduled:
    """model, options: see ``_language_model``. backend: used instead of a model. yes, no: the words."""
    return Scheduled(asking(prompt, YesNo(yes, no), model, backend, options), Map())
