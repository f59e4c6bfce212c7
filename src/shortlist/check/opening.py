"""From what a user names (a folder, a hub name, an address) and a kind to the backend that is to be checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..backends.opening import backend_for, built
from ..core.errors import ConfigError, UnknownName
from ..core.protocols import Backend

KINDS: dict[str, str] = {
    "endpoint": "OpenAICompatible",
    "causal": "CausalLM",
    "seq2seq": "Seq2SeqLM",
    "classifier": "SequenceClassifier",
    "embedder": "Embedder",
    "cross-encoder": "PairScorer",
    "encoder": "Encoder",
}
"""Kinds of models and the classes that open them; the last two run without torch."""
_EMBEDDED = ("cross-encoder", "encoder")


def backend_of(model: str, options: Mapping[str, Any], kind: str = "auto") -> Backend:
    """The backend that opens ``model``. kind: one of ``KINDS``; ``auto`` looks at the address and at config.json.

    Raises UnknownName for a kind, ConfigError for an option that the class does not take.
    """
    kind = _guessed(model) if kind == "auto" else kind
    if kind not in KINDS:
        raise UnknownName("kind of model", kind, ["auto", *KINDS])
    is_address = model.startswith(("http://", "https://"))
    if is_address != (kind == "endpoint"):
        raise ConfigError(f"{model} is {'an address' if is_address else 'no address'}, so its kind is not {kind!r}")
    if kind in _EMBEDDED:
        return _embedded(KINDS[kind], model, options)
    backend: Backend = backend_for(model, options, opens=None if is_address else KINDS[kind])
    return backend


def _embedded(name: str, model: str, options: Mapping[str, Any]) -> Backend:
    from ..backends import embedded

    backend: Backend = built(getattr(embedded, name), model, options)
    return backend


def _guessed(model: str) -> str:
    if model.startswith(("http://", "https://")):
        return "endpoint"
    if model.endswith(".onnx"):
        return "cross-encoder"
    try:
        config = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "causal"  # a hub name: most are; another is named by its kind
    except (ValueError, OSError) as error:
        raise ConfigError(f"{model}: config.json cannot be read: {error}") from error
    named = str((config.get("architectures") or [""])[0])
    if config.get("is_encoder_decoder"):
        return "seq2seq"
    if named.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")):
        return "causal"
    if named.endswith("ForSequenceClassification"):
        return "cross-encoder" if named.startswith(("Bert", "Roberta", "XLMRoberta", "Electra")) else "classifier"
    return "encoder"
