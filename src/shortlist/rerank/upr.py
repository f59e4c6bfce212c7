"""Pointwise likelihood of the query as a question that the passage answers.

Source: Sachan et al. 2022, arXiv 2204.07496 (UPR).

The sum over all tokens, the end of the text included, as the authors' code has it (the paper writes a mean; per query
the order is the same). Their decoder reads "Question: " before the query, and "?" behind it for some data sets only;
here the query stays as it is. Made for T5; a decoder-only model reads the question right behind the prompt.
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
    prompt: str = "upr",
    eos: bool = True,
    output: Literal["sum", "mean"] = "sum",
) -> Scheduled:
    """model, options: see ``_likelihood``. backend: used instead of a model. eos: the end of the text counts."""
    return Scheduled(likelihoods(prompt, model, backend, options, eos=eos, output=output), Map())
