"""Two stages: a classification head scores every document, then a language model reasons about the order of the best.

Source: Abdallah et al. 2025, arXiv 2508.16998 (DeAR).

Stage 1 reads "query: ..." and "document: ..." as two texts. Stage 2 ranks the first 30 in windows of 20 with stride 10,
and the final order is by position, since what a window says of its documents is no score. Stage 2's prompt has the
published form in our words. Hyphens of titles become blanks, as tevatron, from which the form comes, has it.

Lengths of stage 1. Published: trained with 32 tokens of the query and 196 of the document in their forms, and run with
pairs of 228 whose longer text loses its end. As published here: pairs of 228 and, as in training, 32 of the query. Not
as published: a longer document is read to its end, in passages of which the best counts; it is cut with
``document_tokens=196`` (repair ``passage_cut``). A cut query is the repair ``query_cut``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.errors import ConfigError
from ..core.protocols import GenerateBackend, PairBackend
from ..drive import Scheduled
from ..pipeline import Head, Then
from ..readouts import Permutation
from ..schedules import Map, SlidingWindow
from ..scorers import Pairs
from ..scorers.passages import Aggregate
from ._language_model import asking, opened

paradigm = "cascade"
extra = "local"

FORM = {"query": "query: {text}", "document": "document: {text}", "max_length": 228}


def build(
    *,
    model: str | None = None,
    pointwise: str | None = None,
    backend: Any = None,
    pointwise_backend: PairBackend | None = None,
    options: Mapping[str, Any] | None = None,
    pointwise_options: Mapping[str, Any] | None = None,
    prompt: str = "dear-listwise",
    depth: int = 30,
    window: int = 20,
    stride: int = 10,
    query_tokens: int | None = 32,
    document_tokens: int | None = None,
    aggregate: Aggregate = "max",
) -> Then:
    """model, options: of stage 2, see ``_language_model``. pointwise, pointwise_options: of stage 1, a folder or hub
    name, as ``SequenceClassifier`` takes them. backend: used instead of both models, unless ``pointwise`` is given.
    pointwise_backend: used instead of stage 1's.

    depth: documents that stage 2 sees. query_tokens, document_tokens: limits of stage 1, the forms counted in; None:
    only the window.
    """
    if pointwise is None and pointwise_backend is None and backend is None:
        raise ConfigError("give pointwise=... (the folder or hub name of stage 1)")
    form = {**FORM, "query_tokens": query_tokens, "document_tokens": document_tokens}
    given = {**(form if pointwise is not None else {}), **(pointwise_options or {})}
    head: PairBackend = opened(
        pointwise,
        backend if pointwise is None and pointwise_backend is None else pointwise_backend,
        given,
        opens="SequenceClassifier",
    )
    judge: GenerateBackend | None = backend
    listwise = Scheduled(asking(prompt, Permutation(), model, judge, options), SlidingWindow(window, stride))
    return Then((Scheduled(Pairs(head, aggregate, "tevatron"), Map()), Head(listwise, depth)))
