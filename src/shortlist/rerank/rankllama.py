"""Pointwise logit of a classification head on a decoder-only language model.

Source: Ma et al. 2023, arXiv 2310.08319 (RankLLaMA).

One text, ``query: ... document: title text``, as tevatron trains and runs them; ``join="pair"`` gives the tokenizer two
texts, each with its BOS, as the first checkpoints were trained and as their model cards do. Checkpoints that were
trained with ``--append_eos_token`` need ``append_eos``. A LoRA checkpoint is the ``adapter`` of its base model.

Lengths. Published: 32 tokens of ``query: ...`` and 164 of ``document: ...``, cut apart in the first training code, and
later as one text of 196 that loses its end. As published here: 32 of the query. Not as published: a document is read to
its end, in passages that fit 512 tokens (``max_length``) beside the query, of which the best counts; it is cut with
``document_tokens=164`` (repair ``passage_cut``). A cut query is the repair ``query_cut``.
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
    adapter: str | None = None,
    join: Literal["text", "pair"] = "text",
    append_eos: bool = False,
    query_tokens: int | None = 32,
    document_tokens: int | None = None,
    aggregate: Aggregate = "max",
) -> Scheduled:
    """model: a folder or hub name. options: of ``SequenceClassifier``. query_tokens, document_tokens: limits with
    ``query: `` and ``document: `` counted in; None: only the window. aggregate: of a long document's passages."""
    forms: dict[str, Any] = {"query": "query: {text}", "document": "document: {text}"}
    forms |= {"join": join, "append_eos": append_eos, "num_labels": 1}
    forms |= {"query_tokens": query_tokens, "document_tokens": document_tokens}
    forms |= {"adapter": adapter} if adapter else {}
    given = dict(options or {}) if model is None else {**forms, **(options or {})}
    chosen = opened(model, backend, given, opens="SequenceClassifier")
    return Scheduled(Pairs(chosen, aggregate, "tevatron"), Map())
