"""From a template with a target and a model to a scorer of likelihoods.

``options`` hold ``context`` (tokens that prompt and target may take together); everything else goes to the backend's
constructor (``CausalLM`` or ``Seq2SeqLM``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ..backends.opening import ASKING
from ..core.errors import ConfigError
from ..core.protocols import LikelihoodBackend
from ..prompts import load_prompt
from ..scorers.likelihood import QueryLikelihood
from ._language_model import opened, prompt_for


def likelihoods(
    prompt: str | Path,
    model: str | None,
    backend: LikelihoodBackend | None,
    options: Mapping[str, Any] | None,
    *,
    eos: bool,
    output: Literal["sum", "mean"],
) -> QueryLikelihood:
    """A scorer from a template's name (or path) and a model or backend. Raises ConfigError when they do not fit."""
    given = dict(options or {})
    context = given.pop("context", None)
    for name in ASKING:
        if name in given:
            raise ConfigError(f"the option {name} is for generated answers; likelihoods are not; leave it out")
    template = load_prompt(prompt)
    if not template.target:
        raise ConfigError(f"the prompt {template.name!r} has no target whose likelihood could be asked for")
    opens = opened(model, backend, given)
    return QueryLikelihood(prompt_for(template, opens, context), opens, template.target, output, eos)
