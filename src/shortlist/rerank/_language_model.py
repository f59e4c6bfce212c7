"""From what a user gives (an endpoint's address, a folder, a hub name) to a scorer that asks a language model.

``options`` hold what is the same for every method: ``context`` (tokens that prompt and answer may take together),
``on_malformed`` and ``retries`` (see ``Prompted``), ``cache`` (a folder in which answers are kept); everything else
goes to the backend's constructor (``OpenAICompatible`` for an address, ``CausalLM`` or ``Seq2SeqLM`` for a model on
disk).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..core.errors import BackendError, ConfigError
from ..core.extras import need
from ..core.protocols import GenerateBackend, Prompt, Readout
from ..prompts import Fitted, Template, load_prompt
from ..scorers.prompted import Prompted
from ..scorers.prompted_async import prompted

ASKING = ("context", "on_malformed", "retries", "cache")
DEFAULT_PROMPT = 4096  # tokens: the smallest window of the models that these methods were published with


def asking(
    prompt: str | Path,
    readout: Readout,
    model: str | None,
    backend: GenerateBackend | None,
    options: Mapping[str, Any] | None,
) -> Prompted:
    """A scorer from a template's name (or path), a readout, and a model or backend.

    Raises ConfigError when neither or both are given, or when the parts do not fit each other.
    """
    given = dict(options or {})
    own = {name: given.pop(name) for name in ASKING if name in given}
    if (model is None) == (backend is None):
        raise ConfigError("give a model (the address of an endpoint such as http://localhost:8000/v1, or a folder)")
    if backend is None:
        backend = backend_for(str(model), given)
    elif given:
        raise ConfigError(f"options {sorted(given)} are for a model that is still to be opened, not for a backend")
    if "cache" in own:
        from ..backends.cache import Cached

        backend = Cached(backend, own["cache"])
    fitted = prompt_for(load_prompt(prompt), backend, own.get("context"))
    asked = {name: own[name] for name in ("on_malformed", "retries") if name in own}
    return prompted(fitted, readout, backend, **asked)


def prompt_for(template: Template, backend: GenerateBackend, context: int | None) -> Prompt:
    """The template, fitted to a context by the backend's own tokens where it counts them, else by an estimate."""
    window = context or getattr(backend, "context", None) or DEFAULT_PROMPT + template.max_tokens
    if not hasattr(backend, "measure"):
        return Fitted(template, window)
    return Fitted(template, window, backend.offsets, measure=backend.measure)  # type: ignore[attr-defined]


def backend_for(model: str, options: Mapping[str, Any]) -> GenerateBackend:
    """The backend that opens ``model``: an endpoint for an address, else a local model (extra ``local``)."""
    if not model.startswith(("http://", "https://")):
        from ..backends.transformers import CausalLM, Seq2SeqLM

        return _built(Seq2SeqLM if _is_encoder_decoder(model) else CausalLM, model, options)
    from ..backends.http import OpenAICompatible

    if "model" not in options:
        raise ConfigError(f"{model} may serve several models; name one with the option model=NAME (GET {model}/models)")
    return _built(OpenAICompatible, model, options)


def _is_encoder_decoder(model: str) -> bool:
    """What the model's configuration says; a hub name is looked up, first in the hub's cache."""
    transformers = need("transformers>=4.48", extra="local")
    try:
        return bool(transformers.AutoConfig.from_pretrained(model).is_encoder_decoder)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise BackendError(f"{model!r} is no folder with a model, and the hub gave none: {reason}") from error


def _built(make: Callable[..., GenerateBackend], model: str, options: Mapping[str, Any]) -> GenerateBackend:
    accepted = list(inspect.signature(make).parameters)[1:]
    unknown = [name for name in options if name not in accepted]
    if unknown:
        raise ConfigError(f"no option {unknown[0]!r}; known: {', '.join((*ASKING, *accepted))}")
    return make(model, **options)
