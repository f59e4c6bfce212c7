"""Pointwise logit of one extra token at the first decoder step.

Source: Zhuang et al. 2022, arXiv 2210.10634 (RankT5).

The logit as it is, not normalised over the vocabulary: that would order documents differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import RawLogit
from ..schedules import Map
from ._language_model import asking

paradigm = "pointwise"
extra = "local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "rankt5",
    label: str = "<extra_id_10>",
) -> Scheduled:
    """model, options: see ``_language_model``. backend: used instead of a model. label: the token."""
    given = options if model is None else {"label_values": "logits", **(options or {})}
    return Scheduled(asking(prompt, RawLogit(label), model, backend, given, opens="Seq2SeqLM"), Map())
