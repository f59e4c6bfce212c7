"""From what a user gives (an endpoint's address, a folder, a hub name) to a scorer that asks a language model.

``options`` hold what is the same for every method: ``context`` (tokens that prompt and answer may take together),
``on_malformed`` and ``retries`` (see ``Prompted``), ``cache`` (a folder in which answers are kept), ``chunk``
(pointwise methods: tokens of the passages that a long document is split into; the best one counts); everything else
goes to the backend's constructor (``OpenAICompatible`` for an address, ``CausalLM`` or ``Seq2SeqLM`` for a model on
disk; with ``runtime="vllm"``, ``VLLM``). A method that needs another kind of local model names its class:
``opens="FusionInDecoder"``. A method whose scorer is not ``Prompted`` (attention, views) asks for the backend alone:
``opened``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..core.errors import BackendError, ConfigError
from ..core.extras import need
from ..core.protocols import Backend, Capability, GenerateBackend, Prompt, Readout
from ..prompts import Fitted, Template, load_prompt
from ..prompts.tokens import estimated_tokens
from ..scorers.chunked import chunked
from ..scorers.prompted_async import prompted

ASKING = ("context", "on_malformed", "retries", "cache", "chunk")
B = TypeVar("B", bound=Backend)
DEFAULT_PROMPT = 4096  # tokens: the smallest window of the models that these methods were published with


def asking(
    prompt: str | Path | Template,
    readout: Readout,
    model: str | None,
    backend: GenerateBackend | None,
    options: Mapping[str, Any] | None,
    *,
    opens: str | None = None,
) -> Any:
    """A ``Prompted`` (or, with ``chunk``, a ``Chunked`` around it) from a template (or its name or path), a readout,
    and a model or backend.

    opens: the class of ``backends.transformers`` that alone can open a model for this method; such a model is always
    local. None: an endpoint, or what the model's configuration says (``CausalLM``, ``Seq2SeqLM``).

    Raises ConfigError when neither or both are given, or when the parts do not fit each other.
    """
    given = dict(options or {})
    own = {name: given.pop(name) for name in ASKING if name in given}
    backend = opened(model, backend, given, opens=opens)
    template = prompt if isinstance(prompt, Template) else load_prompt(prompt)
    if template.layout == "segments" and Capability.FID not in backend.capabilities:
        raise ConfigError(f"prompt {template.name!r} is segments; {type(backend).__name__} reads only one text")
    tokenizer = getattr(backend, "offsets", estimated_tokens)
    fitted = prompt_for(template, backend, own.get("context"))  # by the model's own tokens: before the cache hides them
    if "cache" in own:
        from ..backends.cache import Cached

        backend = Cached(backend, own["cache"])
    asked = {name: own[name] for name in ("on_malformed", "retries") if name in own}
    scorer = prompted(fitted, readout, backend, **asked)
    return chunked(scorer, tokens=own["chunk"], tokenizer=tokenizer) if "chunk" in own else scorer


def opened(
    model: str | None, backend: B | None, options: Mapping[str, Any] | None = None, *, opens: str | None = None
) -> B:
    """The backend that was given, or the one that opens the model with the options; ``opens`` as for ``asking``.

    Raises ConfigError when neither or both are given, or when the backend is given and options are.
    """
    if (model is None) == (backend is None):
        local = "a folder" if opens else "the address of an endpoint such as http://localhost:8000/v1, or a folder"
        raise ConfigError(f"give a model ({local})")
    if backend is None:
        made: B = backend_for(str(model), options or {}, opens=opens)
        return made
    if options:
        raise ConfigError(f"options {sorted(options)} are for a model that is still to be opened, not for a backend")
    return backend


def prompt_for(template: Template, backend: Backend, context: int | None) -> Prompt:
    """The template, fitted to a context by the backend's own tokens where it counts them, else by an estimate."""
    window = context or getattr(backend, "context", None) or DEFAULT_PROMPT + template.max_tokens
    if not hasattr(backend, "measure"):
        return Fitted(template, window)
    return Fitted(template, window, backend.offsets, measure=backend.measure)  # type: ignore[attr-defined]


def backend_for(model: str, options: Mapping[str, Any], *, opens: str | None = None) -> Any:
    """The backend that opens ``model``: an endpoint for an address, else a local model (extra ``local``)."""
    if not model.startswith(("http://", "https://")):
        if "://" in model or model.rstrip("/").endswith("/v1"):
            raise ConfigError(f"model={model!r}: an endpoint's address begins with http:// or https://")
        runtime = options.get("runtime", "transformers")
        options = {name: value for name, value in options.items() if name != "runtime"}
        if runtime == "vllm" and opens is None:
            from ..backends.vllm import VLLM

            return _built(VLLM, model, options)
        if runtime != "transformers":
            known = "transformers" if opens else "transformers or vllm"
            raise ConfigError(f"runtime={runtime!r}: this method's models are run by {known}")
        from ..backends import transformers

        name = opens or ("Seq2SeqLM" if _is_encoder_decoder(model) else "CausalLM")
        return _built(getattr(transformers, name), model, options)
    if opens is not None:
        raise ConfigError(f"{model} is an endpoint, and this method looks inside the model; give a folder or hub name")
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


def _built(make: Callable[..., Backend], model: str, options: Mapping[str, Any]) -> Any:
    accepted = list(inspect.signature(make).parameters)[1:]
    unknown = [name for name in options if name not in accepted]
    if unknown:
        known = f"{', '.join(accepted)}; where text is generated also {', '.join(ASKING)}"
        raise ConfigError(f"no option {unknown[0]!r} here; known: {known}")
    return make(model, **options)
