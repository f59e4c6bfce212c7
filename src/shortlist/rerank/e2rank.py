"""Cosine of every document with the vector of a prompt that shows the query and the first documents.

Source: Liu et al. 2025, arXiv 2510.22733 (E2Rank).

One long prompt per query, read once, and a vector per document. The first 20 documents are shown, all are scored.
Not as published: passages are cut by tokens (1024 of each in the prompt), where the authors cut to 1024 words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import PromptEmbedBackend
from ..drive import Scheduled
from ..prompts import load_prompt
from ..schedules import Map, Once
from ..scorers import Cosine, ListQuery
from ..scorers.passages import Aggregate
from ._language_model import opened, prompt_for

paradigm = "listwise"
extra = "local"

END = "<|endoftext|>"  # behind every document and plain query, as trained; prompts get none
TASK = "Given a web search query, retrieve relevant passages that answer the query"  # eval.py, for dl19 and dl20


def build(
    *,
    model: str | None = None,
    backend: PromptEmbedBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "e2rank",
    shown: int = 20,
    plain: bool = False,
    task: str = TASK,
    aggregate: Aggregate = "max",
) -> Scheduled:
    """model, options: of ``Embedder``; also context, the tokens of a prompt. shown: documents in the prompt.

    plain: the query alone stands for itself ("Instruct: task"), as in the first stage that the model can also be. task:
    what the search is for, as the model was told in training.
    """
    given = dict(options or {})
    context = given.pop("context", None)
    if backend is None:
        given = {"end": END, "query_prefix": f"Instruct: {task}\nQuery:", **given}
    embedder = opened(model, backend, given, opens="Embedder")
    if plain:
        return Scheduled(Cosine(embedder, aggregate), Map())
    return Scheduled(ListQuery(prompt_for(load_prompt(prompt), embedder, context), embedder, shown, aggregate), Once())
