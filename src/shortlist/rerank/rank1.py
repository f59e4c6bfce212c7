"""Pointwise probability of true against false after reasoning.

Source: Weller et al. 2025, arXiv 2502.18418 (Rank1).

The model thinks behind ``<think>``, then " true" and " false" are compared behind ``</think>``; a thought that the
length limit cut ends at its last whole sentence and is closed (repair ``forced_close``), as in the authors' code. Where
the two words do not come back they say 0.5, which puts a failure in the middle of the list; here the document has no
score (repair ``label_not_returned``). Raw text: over HTTP it goes to the completions route.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..prompts import load_prompt
from ..readouts import YesNo
from ..schedules import Map
from ..scorers.reasoned import reasoned
from ._language_model import asking

paradigm = "pointwise"
extra = "http or local"

CHECK = {"output": "log_odds"}  # the oracle's grades are no probabilities


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "rank1",
    yes: str = " true",
    no: str = " false",
    output: Literal["probability", "log_odds"] = "probability",
    max_tokens: int | None = None,
) -> Scheduled:
    """model, options: see ``_language_model``. max_tokens: of a thought; None is the prompt's own (8,192)."""
    template = load_prompt(prompt)
    if max_tokens is not None:
        template = replace(template, max_tokens=max_tokens)
    asked = asking(template, YesNo(yes, no, output), model, backend, options)
    return Scheduled(
        reasoned(asked.prompt, asked.readout, asked.backend, on_malformed=asked.on_malformed, retries=asked.retries),
        Map(),
    )
