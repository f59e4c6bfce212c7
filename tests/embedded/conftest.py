"""A tiny BERT made on the spot: random weights, a WordPiece tokenizer, and its forward pass in numpy as the oracle."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

_SENTENCE = "the a flea lives about hundred days concrete floor cost of interior how long is life cycle ##s ##ing 日 本"
WORDS = _SENTENCE.split()
HIDDEN, LAYERS, HEADS, INNER, POSITIONS = 32, 2, 4, 64, 64


@pytest.fixture(scope="session")
def build_tool(script: Callable[[str], ModuleType]) -> ModuleType:
    """What builds the default model's folder."""
    return script("tools/build_default_model")


def tokenizer() -> Tokenizer:
    letters = list("abcdefghijklmnopqrstuvwxyz.,0123456789")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *letters, *(f"##{c}" for c in letters)]
    ids = {word: i for i, word in enumerate(dict.fromkeys(vocabulary))}
    made = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    return made


def arrays(seed: int, vocabulary: int, labels: int) -> dict[str, np.ndarray]:
    """Named weights as Hugging Face names them for BertForSequenceClassification."""
    random = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}

    def matrix(name: str, rows: int, columns: int, spread: float = 0.3) -> None:
        made[f"bert.{name}.weight"] = random.normal(0, spread, (rows, columns)).astype(np.float32)

    def linear(name: str, rows: int, columns: int) -> None:
        matrix(name, rows, columns)
        made[f"bert.{name}.bias"] = random.normal(0, 0.1, rows).astype(np.float32)

    def norm(name: str) -> None:
        made[f"bert.{name}.weight"] = random.normal(1, 0.1, HIDDEN).astype(np.float32)
        made[f"bert.{name}.bias"] = random.normal(0, 0.1, HIDDEN).astype(np.float32)

    matrix("embeddings.word_embeddings", vocabulary, HIDDEN, 1.0)
    matrix("embeddings.position_embeddings", POSITIONS, HIDDEN, 0.3)
    matrix("embeddings.token_type_embeddings", 2, HIDDEN)
    norm("embeddings.LayerNorm")
    for layer in range(LAYERS):
        base = f"encoder.layer.{layer}."
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            linear(base + part, HIDDEN, HIDDEN)
        linear(base + "intermediate.dense", INNER, HIDDEN)
        linear(base + "output.dense", HIDDEN, INNER)
        norm(base + "attention.output.LayerNorm")
        norm(base + "output.LayerNorm")
    linear("pooler.dense", HIDDEN, HIDDEN)
    made["classifier.weight"] = random.normal(0, 0.3, (labels, HIDDEN)).astype(np.float32)
    made["classifier.bias"] = random.normal(0, 0.1, labels).astype(np.float32)
    return made


Maker = Callable[..., Path]


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory, build_tool: ModuleType) -> Maker:
    """Write a tiny model folder; the same arguments give the same weights."""

    def make(*, labels: int = 1, seed: int = 0, head: bool = True, **config: object) -> Path:
        folder = tmp_path_factory.mktemp("model")
        made = tokenizer()
        made.save(str(folder / "tokenizer.json"))
        weights = arrays(seed, made.get_vocab_size(), labels)
        (folder / "model.safetensors").write_bytes(build_tool.serialise(weights))
        settings = {
            "model_type": "bert",
            "architectures": ["BertForSequenceClassification" if head else "BertModel"],
            "id2label": {str(i): f"L{i}" for i in range(labels)},
            "hidden_size": HIDDEN,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "intermediate_size": INNER,
            "max_position_embeddings": POSITIONS,
            "vocab_size": made.get_vocab_size(),
            "type_vocab_size": 2,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-12,
        }
        (folder / "config.json").write_text(json.dumps(settings | config))
        return folder

    return make


@pytest.fixture(scope="session")
def tiny(make_model: Maker) -> Path:
    return make_model()


class Oracle:
    """BERT's forward pass as the paper has it, in float64, one text at a time."""

    def __init__(self, labels: int = 1, seed: int = 0) -> None:
        self.tokenizer = tokenizer()
        self.weights = {
            k: v.astype(np.float64) for k, v in arrays(seed, self.tokenizer.get_vocab_size(), labels).items()
        }

    def states(self, text: str, pair: str | None = None) -> np.ndarray:
        encoded = self.tokenizer.encode(text, pair)
        w = self.weights
        x = w["bert.embeddings.word_embeddings.weight"][encoded.ids]
        x = x + w["bert.embeddings.position_embeddings.weight"][: len(encoded.ids)]
        x = self.norm(
            x + w["bert.embeddings.token_type_embeddings.weight"][encoded.type_ids], "bert.embeddings.LayerNorm"
        )
        for layer in range(LAYERS):
            base = f"bert.encoder.layer.{layer}."
            q, k, v = (
                self.linear(x, f"{base}attention.self.{name}").reshape(len(x), HEADS, -1).transpose(1, 0, 2)
                for name in ("query", "key", "value")
            )
            weights = np.exp(q @ k.transpose(0, 2, 1) / math.sqrt(HIDDEN / HEADS))
            mixed = (weights / weights.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(x), HIDDEN)
            x = self.norm(self.linear(mixed, f"{base}attention.output.dense") + x, f"{base}attention.output.LayerNorm")
            inner = self.linear(x, f"{base}intermediate.dense")
            inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
            x = self.norm(self.linear(inner, f"{base}output.dense") + x, f"{base}output.LayerNorm")
        return x

    def logits(self, text: str, pair: str) -> np.ndarray:
        pooled = np.tanh(self.linear(self.states(text, pair)[0], "bert.pooler.dense"))
        return pooled @ self.weights["classifier.weight"].T + self.weights["classifier.bias"]

    def linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        even = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return even * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


@pytest.fixture(scope="session")
def oracle() -> type[Oracle]:
    return Oracle
