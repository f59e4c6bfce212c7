"""Two stages: a classification head scores every document, then a language model reasons about the order of the best.

Source: Abdallah et al. 2025, arXiv 2508.16998 (DeAR).

Stage 1 reads "query: ..." and "document: ..." as two texts. Stage 2 ranks the first 30 in windows of 20 with stride 10,
and the final order is by position, since what a window says of its documents is no score. Stage 2's prompt has the
published form in our words. The authors cut a pair to 228 tokens; here longer documents are split into passages of
which the best counts. Hyphens of titles become blanks, as tevatron, from which the form comes, has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    aggregate: Aggregate = "max",
) -> Then:
    """model, options: of stage 2, see ``_language_model``. pointwise, pointwise_options: of stage 1, a folder or hub
    name, as ``SequenceClassifier`` takes them. backend: used instead of both models, unless ``pointwise`` is given.

    depth: documents that stage 2 sees.
    """
    given = {**(FORM if pointwise is not None else {}), **(pointwise_options or {})}
    head: PairBackend = opened(
        pointwise,
        backend if pointwise is None and pointwise_backend is None else pointwise_backend,
        given,
        opens="SequenceClassifier",
    )
    judge: GenerateBackend | None = backend
    listwise = Scheduled(asking(prompt, Permutation(), model, judge, options), SlidingWindow(window, stride))
    return Then((Scheduled(Pairs(head, aggregate, "tevatron"), Map()), Head(listwise, depth)))
