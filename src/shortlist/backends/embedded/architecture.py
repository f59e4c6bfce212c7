"""What kind of encoder a model folder holds: shape, names of its tensors, pooling and classification head.

Known families: BERT, RoBERTa, XLM-RoBERTa, CamemBERT, ELECTRA, DistilBERT (post-norm encoders with absolute positions).
Everything else (DeBERTa, ModernBERT, ...) is not built here; such a folder runs from its ONNX file or with
`runtime="torch"`.

Sources: Hugging Face `config.json`, and the `modules.json` / `1_Pooling/config.json` of sentence-transformers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shortlist.core.errors import ConfigError

Activation = Literal["gelu", "gelu_tanh", "relu"]
Pooling = Literal["mean", "cls"]

_ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
_BERT_LAYER = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "output_norm": "output.LayerNorm",
}
_DISTIL_LAYER = {
    "query": "attention.q_lin",
    "key": "attention.k_lin",
    "value": "attention.v_lin",
    "attended": "attention.out_lin",
    "attention_norm": "sa_layer_norm",
    "up": "ffn.lin1",
    "down": "ffn.lin2",
    "output_norm": "output_layer_norm",
}


_ELSE = "put an ONNX export into the folder or use runtime='torch'"


@dataclass(frozen=True, slots=True)
class Family:
    """How one family of models names its tensors and computes its classification head from the first token's state."""

    prefix: str
    parts: Mapping[str, str]
    layers: str = "encoder.layer"
    positions_after_padding: bool = False  # the first position is the padding token's id + 1
    token_types: bool = True
    head: tuple[str, str, str] = ("bert.pooler.dense", "Tanh", "classifier")  # dense, activation, output


_ROBERTA = Family(
    "roberta.", _BERT_LAYER, positions_after_padding=True, head=("classifier.dense", "Tanh", "classifier.out_proj")
)
FAMILIES: dict[str, Family] = {
    "bert": Family("bert.", _BERT_LAYER),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "electra": Family("electra.", _BERT_LAYER, head=("classifier.dense", "Gelu", "classifier.out_proj")),
    "distilbert": Family(
        "distilbert.",
        _DISTIL_LAYER,
        "transformer.layer",
        token_types=False,
        head=("pre_classifier", "Relu", "classifier"),
    ),
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """Shape and habits of one encoder. ``positions`` is the longest input in tokens, special tokens included."""

    family: str
    layers: int
    heads: int
    hidden: int
    positions: int
    position_offset: int
    token_types: int
    epsilon: float
    activation: Activation
    labels: int
    pooling: Pooling = "mean"

    @property
    def names(self) -> Family:
        return FAMILIES[self.family]


def read_architecture(folder: Path) -> Architecture:
    """Read ``config.json`` (and the pooling of a sentence-transformers folder).

    Raises ConfigError for a missing file or a model that is not of a known family.
    """
    config = read_json(folder / "config.json")
    kind = str(config.get("model_type", "bert"))
    known = ", ".join(FAMILIES)
    if kind not in FAMILIES:
        raise ConfigError(f"{folder}: model_type {kind!r} is not one that is run directly ({known}); {_ELSE}")
    activation = _ACTIVATIONS.get(str(config.get("hidden_act", config.get("activation", "gelu"))))
    positional = config.get("position_embedding_type", "absolute")
    hidden = int(config.get("hidden_size", config.get("dim", 0)))
    if activation is None or positional != "absolute" or config.get("embedding_size", hidden) != hidden or not hidden:
        wanted = "absolute positions, gelu or relu, and embeddings as wide as the layers"
        raise ConfigError(f"{folder}: what is run directly has {wanted}; {_ELSE}")
    return Architecture(
        family=kind,
        layers=int(config.get("num_hidden_layers", config.get("n_layers", 0))),
        heads=int(config.get("num_attention_heads", config.get("n_heads", 0))),
        hidden=hidden,
        positions=count_positions(config),
        position_offset=position_offset(config),
        token_types=int(config.get("type_vocab_size", 2)) if FAMILIES[kind].token_types else 0,
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
        activation=activation,
        labels=count_labels(config),
        pooling=read_pooling(folder),
    )


def position_offset(config: Mapping[str, Any]) -> int:
    """The row of the position table that the first token uses."""
    family = FAMILIES.get(str(config.get("model_type")))
    if family is None or not family.positions_after_padding:
        return 0
    padding = config.get("pad_token_id")
    return (1 if padding is None else int(padding)) + 1


def count_positions(config: Mapping[str, Any]) -> int:
    """The longest input in tokens, special tokens included."""
    return int(config.get("max_position_embeddings", 512)) - position_offset(config)


def count_labels(config: Mapping[str, Any]) -> int:
    """Outputs of the classification head; 0 when the model has none."""
    if not any(str(name).endswith("ForSequenceClassification") for name in config.get("architectures") or ()):
        return 0
    return len(config["id2label"]) if config.get("id2label") else int(config.get("num_labels", 2))


def read_pooling(folder: Path) -> Pooling:
    """How a sentence-transformers folder pools token states; mean when it does not say."""
    modules = folder / "modules.json"
    if modules.is_file():
        kinds = {str(module["type"]).rsplit(".", 1)[-1] for module in json.loads(modules.read_text("utf-8"))}
        unknown = kinds - {"Transformer", "Pooling", "Normalize"}
        if unknown:
            raise ConfigError(
                f"{modules}: modules {sorted(unknown)} are not supported; known: Transformer, Pooling, Normalize"
            )
    settings = folder / "1_Pooling" / "config.json"
    if not settings.is_file():
        return "mean"
    pooling = read_json(settings)
    mode = pooling.get("pooling_mode")
    if mode == "cls" or pooling.get("pooling_mode_cls_token"):
        return "cls"
    if mode == "mean" or pooling.get("pooling_mode_mean_tokens"):
        return "mean"
    raise ConfigError(f"{settings}: only mean and cls pooling are supported")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a model folder; ConfigError says which file is missing or broken."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: not found; a model folder holds config.json, tokenizer.json and the weights"
        ) from None
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON ({error})") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected a JSON object")
    return value
