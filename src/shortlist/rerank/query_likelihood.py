"""Pointwise likelihood of the query given the passage, its end not counted.

Source: Zhuang et al. 2024, arXiv 2310.09497 (pointwise qlm).

Their code gives T5's decoder the query as labels that begin with a padding token, so it starts from two of them and
the sum holds a term for predicting padding. Here the decoder starts from its one start token, as T5 was trained, and
the sum holds the query's tokens only. A decoder-only model reads the query right behind the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..core.protocols import LikelihoodBackend
from ..drive import Scheduled
from ..schedules import Map
from ._likelihood import likelihoods

paradigm = "pointwise"
extra = "local"


def build(
    *,
    model: str | None = None,
    backend: LikelihoodBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "query-likelihood",
    eos: bool = False,
    output: Literal["sum", "mean"] = "sum",
) -> Scheduled:
    """model, options: see ``_likelihood``. backend: used instead of a model. eos: the end of the text counts."""
    return Scheduled(likelihoods(prompt, model, backend, options, eos=eos, output=output), Map())
