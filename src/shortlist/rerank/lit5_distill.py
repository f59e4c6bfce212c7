"""Listwise by fusion-in-decoder: a T5 reads each passage of a window by itself and writes the order of all.

Source: Tamber et al. 2023, arXiv 2312.16098 (LiT5-Distill), section 3.1.

The v2 checkpoints take 100 passages at once: window=100.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import Permutation
from ..schedules import SlidingWindow
from ._fid import cut_at
from ._language_model import asking

paradigm = "listwise"
extra = "local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "lit5-distill",
    window: int = 20,
    stride: int = 10,
    passes: int = 1,
    text_tokens: int | None = 150,
) -> Scheduled:
    """model: a T5, from a folder or hub name. backend: used instead, with its own text_tokens. options: see
    ``FusionInDecoder``.

    text_tokens: of each text, in which query, passage and end must fit; longer ones are cut at their end.
    """
    options = cut_at(text_tokens, model, options)
    scorer = asking(prompt, Permutation(tag=""), model, backend, options, opens="FusionInDecoder")
    return Scheduled(scorer, SlidingWindow(window, stride, passes))
