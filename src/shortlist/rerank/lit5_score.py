"""Listwise by the cross-attention of a fusion-in-decoder T5 that answers the question from all passages at once.

Source: Tamber et al. 2023, arXiv 2312.16098 (LiT5-Score), section 3.2.

It was trained to answer questions, not to rank. Sums over passages of unequal length are not comparable across lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import CrossAttentionBackend
from ..drive import Scheduled
from ..prompts import load_prompt
from ..schedules import Once
from ..scorers.cross_attention import CrossAttention
from ._fid import cut_at
from ._language_model import opened, prompt_for

paradigm = "listwise"
extra = "local"


def build(
    *,
    model: str | None = None,
    backend: CrossAttentionBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "lit5-score",
    lead: str = "question: {query}",
    text_tokens: int | None = 150,
) -> Scheduled:
    """model: a T5, from a folder or hub name. backend: used instead, with its own text_tokens. options: see
    ``FusionInDecoder``.

    lead: what each text begins with and is not counted. text_tokens: of each text; longer ones are cut at their end.
    """
    given = cut_at(text_tokens, model, options)
    context = given.pop("context", None)
    reader: CrossAttentionBackend = opened(model, backend, given, opens="FusionInDecoder")
    return Scheduled(CrossAttention(prompt_for(load_prompt(prompt), reader, context), reader, lead), Once())
