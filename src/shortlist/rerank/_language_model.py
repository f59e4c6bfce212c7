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

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..backends.opening import ASKING, backend_for
from ..core.errors import ConfigError
from ..core.protocols import Backend, Capability, GenerateBackend, Prompt, Readout
from ..prompts import Fitted, Template, load_prompt
from ..prompts.tokens import estimated_tokens
from ..scorers.chunked import chunked
from ..scorers.prompted_async import prompted

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
    _fits(template, readout)
    tokenizer = getattr(backend, "offsets", estimated_tokens)
    fitted = prompt_for(template, backend, own.get("context"))  # by the model's own tokens: before the cache hides them
    if "cache" in own:
        from ..backends.cache import Cached

        backend = Cached(backend, own["cache"])
    asked = {name: own[name] for name in ("on_malformed", "retries") if name in own}
    scorer = prompted(fitted, readout, backend, **asked)
    return chunked(scorer, tokens=own["chunk"], tokenizer=tokenizer) if "chunk" in own else scorer


def _fits(template: Template, readout: Readout) -> None:
    """Raise ConfigError for a prompt about several passages with a readout of one, or the other way round."""
    alone, pointwise = readout.max_group == 1, template.paradigm == "pointwise"
    if alone != pointwise:
        about, reads = ("one passage", "several") if pointwise else ("several passages", "one")
        raise ConfigError(
            f"the prompt {template.name!r} is {template.paradigm}, about {about} at a time; {type(readout).__name__} "
            f"reads an answer about {reads}: take another (`shortlist prompt list`), or a method that goes with it"
        )


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
