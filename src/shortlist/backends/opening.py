"""From what a user names (an endpoint's address, a folder, a hub name) and options to the backend that opens it.

An address is an OpenAI-compatible endpoint; anything else is a local model, whose configuration tells decoder-only
models from encoder-decoders. The same rule serves every method, ``llm-serve`` and ``check backend``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..core.errors import BackendError, ConfigError, listed, nearest
from ..core.extras import need
from ..core.protocols import Backend

ASKING = ("context", "on_malformed", "retries", "cache", "chunk")
"""Options of the scorer that asks the model, not of its backend; see ``shortlist.rerank``."""
_GENERATING = f"; where text is generated also {', '.join(ASKING)}"


def backend_for(model: str, options: Mapping[str, Any], *, opens: str | None = None) -> Any:
    """The backend that opens ``model``: an endpoint for an address, else a local model (extra ``local``)."""
    if not model.startswith(("http://", "https://")):
        if "://" in model or model.rstrip("/").endswith("/v1"):
            raise ConfigError(f"model={model!r}: an endpoint's address begins with http:// or https://")
        runtime = options.get("runtime", "transformers")
        options = {name: value for name, value in options.items() if name != "runtime"}
        if runtime == "vllm" and opens is None:
            from .vllm import VLLM

            return built(VLLM, model, options, beside=_GENERATING)
        if runtime != "transformers":
            known = "transformers" if opens else "transformers or vllm"
            raise ConfigError(f"runtime={runtime!r}: this method's models are run by {known}")
        from . import transformers

        name = opens or ("Seq2SeqLM" if _is_encoder_decoder(model) else "CausalLM")
        return built(getattr(transformers, name), model, options, beside=_GENERATING)
    if opens is not None:
        raise ConfigError(f"{model} is an endpoint, and this method looks inside the model; give a folder or hub name")
    from .http import OpenAICompatible

    if "model" not in options:
        raise ConfigError(f"{model} may serve several models; name one with the option model=NAME (GET {model}/models)")
    return built(OpenAICompatible, model, options, beside=_GENERATING)


def _is_encoder_decoder(model: str) -> bool:
    """What the model's configuration says; a hub name is looked up, first in the hub's cache."""
    transformers = need("transformers>=4.48", extra="local")
    try:
        return bool(transformers.AutoConfig.from_pretrained(model).is_encoder_decoder)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise BackendError(f"{model!r} is no folder with a model, and the hub gave none: {reason}") from error


def built(make: Callable[..., Backend], model: str, options: Mapping[str, Any], *, beside: str = "") -> Any:
    """``make(model, **options)``; ConfigError that names the first option it does not take, and ``beside`` them."""
    accepted = list(inspect.signature(make).parameters)[1:]
    unknown = [name for name in options if name not in accepted]
    if unknown:
        near = nearest(unknown[0], [*accepted, *(ASKING if beside else ())])
        raise ConfigError(f"no option {unknown[0]!r} here; {near}known: {listed(accepted)}{beside}")
    if "chat_template" in options:
        options = {**options, "chat_template": template_text(options["chat_template"])}
    return make(model, **options)


def template_text(given: str | Path) -> str:
    """A chat template: itself, or the text of the file that is named. Raises ConfigError when it is neither."""
    if "{" in str(given):
        return str(given)
    try:
        return Path(given).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"chat_template={str(given)!r}: neither a template (there is no {{ in it) nor a file that can be read"
        ) from error
