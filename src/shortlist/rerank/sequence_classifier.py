"""Pointwise score of any sequence-classification model, with query and document written as it was trained.

Language models with a head (of Llama's, Qwen's, Mistral's family ...), T5 and DeBERTa; BERT-like cross-encoders run
faster as ``cross-encoder``. Of two outputs the score is the second minus the first; of more, name one (``label``).

Source: Nogueira and Cho 2019, arXiv 1901.04085.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..core.protocols import PairBackend
from ..drive import Scheduled
from ..schedules import Map
from ..scorers import Pairs
from ..scorers.passages import Aggregate
from ._language_model import opened

paradigm = "pointwise"
extra = "local"


def build(
    *,
    model: str | None = None,
    backend: PairBackend | None = None,
    options: Mapping[str, Any] | None = None,
    query: str = "{text}",
    document: str = "{text}",
    join: Literal["pair", "text"] = "pair",
    append_eos: bool = False,
    label: int | None = None,
    aggregate: Aggregate = "max",
) -> Scheduled:
    """query, document: the forms of the two texts. options: of ``SequenceClassifier`` (max_length, adapter, dtype)."""
    forms = {"query": query, "document": document, "join": join, "append_eos": append_eos, "label": label}
    given = dict(options or {}) if model is None else {**forms, **(options or {})}
    return Scheduled(Pairs(opened(model, backend, given, opens="SequenceClassifier"), aggregate), Map())
