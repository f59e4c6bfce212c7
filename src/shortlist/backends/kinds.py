"""Is this the kind of model that is wanted? Told from its own config.json, before its weights are read.

What cannot work is refused; what may work, but was hardly meant, is a warning in the log. It knows architectures by
their class names (``LlamaForCausalLM``) and says nothing about a model that states none.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..core.errors import ConfigError

logger = logging.getLogger(__name__)

Wanted = Literal["causal", "seq2seq", "classification", "embedding", "gliclass", "encoder"]
WORDS: dict[Wanted, str] = {
    "causal": "a decoder-only language model (Llama, Qwen, Mistral ...)",
    "seq2seq": "an encoder-decoder (T5, Flan-T5 ...)",
    "classification": "a model with a classification head",
    "embedding": "a decoder-only embedding model, whose last token is its vector (E2Rank, Qwen3-Embedding ...)",
    "gliclass": "a GLiClass model",
    "encoder": "an encoder of texts (MiniLM, BGE, E5 ...)",
}
_ENCODERS = frozenset({
    "albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet",
    "nomic_bert", "roberta", "xlm-roberta", "xlm-roberta-xl",
})  # fmt: skip  # read in both directions, so they write nothing
_POOLING = ("modules.json", "config_sentence_transformers.json", "1_Pooling")


@dataclass(frozen=True, slots=True)
class ModelKind:
    """What a folder says of itself. pools: it has sentence-transformers' settings for one vector per text."""

    name: str
    architecture: str = ""
    model_type: str = ""
    encoder_decoder: bool = False
    decoder: bool = False
    pools: bool = False

    @property
    def decoder_only(self) -> bool:
        return self.architecture.endswith(("ForCausalLM", "LMHeadModel")) and not self.encoder_decoder

    @property
    def encoder_only(self) -> bool:
        return self.model_type in _ENCODERS and not self.decoder and not self.encoder_decoder


def kind_of(model: str | Path) -> ModelKind | None:
    """What the folder's config.json says; None for a hub name, or where there is nothing readable (loading says
    why)."""
    folder = Path(model).expanduser()
    try:
        config: Any = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        named = [str(name) for name in config.get("architectures") or ()]
    except (OSError, ValueError, AttributeError, TypeError):
        return None
    return ModelKind(
        str(folder),
        named[0] if named else "",
        str(config.get("model_type", "")),
        bool(config.get("is_encoder_decoder")),
        bool(config.get("is_decoder")),
        any((folder / name).exists() for name in _POOLING),
    )


def expect(model: str | Path, wanted: Wanted) -> None:
    """Raise ConfigError for a model that cannot be what is wanted, and warn about one that hardly is."""
    refuse(model, wanted)
    kind = kind_of(model)
    if kind is not None and (why := _doubt(kind, wanted)):
        logger.warning("%s %s (%s); this is meant for %s", kind.name, why, _named(kind), WORDS[wanted])


def refuse(model: str | Path, wanted: Wanted) -> None:
    """The first half of ``expect``, where what is doubtful at inference is usual: a base that is still to be
    trained."""
    kind = kind_of(model)
    if kind is not None and (why := _refusal(kind, wanted)):
        raise ConfigError(f"{kind.name} is {why} ({_named(kind)}); this needs {WORDS[wanted]}: give another model")


def _refusal(kind: ModelKind, wanted: Wanted) -> str:
    """What the model is instead; empty when it may do."""
    if wanted == "gliclass":
        known = f"{kind.architecture} {kind.model_type}".lower()
        return "" if "gliclass" in known or not known.strip() else "another model"
    if wanted == "seq2seq":
        return "a decoder-only model" if kind.decoder_only else "an encoder alone" if kind.encoder_only else ""
    if wanted in ("causal", "embedding") and kind.encoder_decoder:
        return "an encoder-decoder"
    return "an encoder, which writes no text" if wanted == "causal" and kind.encoder_only else ""


def _doubt(kind: ModelKind, wanted: Wanted) -> str:
    """Why the model was hardly meant for this; empty when it was, or when nothing is known."""
    generates = kind.decoder_only or kind.encoder_decoder
    if wanted == "causal":
        if kind.pools:
            return "looks like an embedding model (it has sentence-transformers' settings)"
        headless = kind.architecture.endswith(("Model", "ForSequenceClassification", "ForTokenClassification"))
        return "has no language-model head of its own" if headless and not generates else ""
    if wanted == "embedding" and kind.encoder_only:
        return "is an encoder, whose last token was hardly trained as its vector"
    if wanted in ("embedding", "encoder") and generates and not kind.pools:
        return "looks like a generative model (it has no settings for vectors)"
    return ""


def _named(kind: ModelKind) -> str:
    return kind.architecture or kind.model_type or "no architecture in config.json"
