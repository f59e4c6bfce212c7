"""Tiny random models of several families, made on the spot from a fixed seed, and the trained one of the fixtures."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gpt2")
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{{ '<s>' }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + (m.content | trim) + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
CORPUS = [
    "Query: how long do fleas live? Passage: A flea lives a hundred days. Relevant: true false yes no Yes No",
    "[A] > [B] > [C] > [D] [1] > [2] > [3] Passage A Passage B the cost of concrete floors is low in spring",
]


@pytest.fixture(scope="session", autouse=True)
def _torch() -> Iterator[None]:
    """One thread, no network; the whole folder is skipped without torch and transformers."""
    torch = pytest.importorskip("torch", reason="torch is not installed (extra `local`)")
    pytest.importorskip("transformers", reason="transformers is not installed (extra `local`)")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    constants = importlib.import_module("huggingface_hub").constants
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        yield
    torch.set_num_threads(before)


def decoder_tokenizer(*, template: str | None = CHATML, bos: bool = False, merged: tuple[str, ...] = ()) -> Any:
    """A byte-level BPE tokenizer with ChatML control tokens and a ``<think>`` that is added but not special.

    merged: strings of two characters; then these are the only merges, and they go across word borders.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<|pad|>", "<|im_start|>", "<|im_end|>", "<s>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: number for number, piece in enumerate([*special, *alphabet, *merged])}
    made = Tokenizer(models.BPE(vocabulary, [(pair[0], pair[1]) for pair in merged]) if merged else models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not merged)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    if merged:
        made.add_special_tokens(special)
    else:
        made.train_from_iterator(CORPUS * 4, trainer)
    made.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    if bos:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", made.token_to_id("<s>"))]
        )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<|pad|>", eos_token="<|im_end|>", bos_token="<s>",
        additional_special_tokens=["<|im_start|>"], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    wrapped.chat_template = None if template is None else template + "{# <think> #}"
    return wrapped


def save_decoder(folder: Path, family: str, *, seed: int = 0, head: str = "CausalLM", **changes: Any) -> Path:
    """A two-layer random model of a family with its tokenizer; ``changes`` go to the configuration."""
    import torch
    import transformers

    given = {name: changes.pop(name) for name in ("template", "bos", "merged") if name in changes}
    tokenizer = decoder_tokenizer(**given)
    common = {"vocab_size": len(tokenizer), "eos_token_id": 2, "bos_token_id": 3, "pad_token_id": 0}
    if family == "gpt2":
        config = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=512, **common, **changes)
    else:
        name = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}[family]
        shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
        extra = {"sliding_window": 24} if family == "mistral" else {}
        extra |= {"head_dim": 8} if family == "qwen3" else {}
        options = shape | {"num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.3}
        config = getattr(transformers, f"{name}Config")(**{**options, **extra, **common, **changes})
    torch.manual_seed(seed)
    prefix = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3", "gpt2": "GPT2"}[family]
    suffix = "LMHeadModel" if family == "gpt2" and head == "CausalLM" else f"For{head}"
    getattr(transformers, prefix + suffix)(config).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def decoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folder of each family's random model."""
    root = tmp_path_factory.mktemp("decoders")
    return {family: save_decoder(root / family, family) for family in FAMILIES}


@pytest.fixture(scope="session")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random T5 with a unigram tokenizer whose vocabulary holds ``</s>`` and the extra ids, as T5's does."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    words = [w for line in CORPUS for w in line.replace("?", " ?").replace(":", " :").replace(".", " .").split()]
    pieces = [
        "<pad>",
        "</s>",
        "<unk>",
        *dict.fromkeys(f"\u2581{w}" for w in words),
        "\u2581",
        *map(chr, range(33, 127)),
    ]
    pieces += [f"<extra_id_{i}>" for i in range(12)]
    scores = {p: 0.0 if p.startswith("<") and len(p) > 1 else -2.0 - (len(p) < 3) * 4 for p in dict.fromkeys(pieces)}
    made = Tokenizer(models.Unigram(list(scores.items()), unk_id=2, byte_fallback=False))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A $B </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        additional_special_tokens=[f"<extra_id_{i}>" for i in range(12)], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("t5")
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, decoder_start_token_id=0,
        initializer_factor=1.5, tie_word_embeddings=False,
    )  # fmt: skip
    transformers.T5ForConditionalGeneration(config).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def trained() -> Path:
    """The trained tiny model that stands in the repository."""
    return TESTS / "fixtures" / "tiny-ranker"


@pytest.fixture(scope="session")
def build_tool(script: Callable[[str], ModuleType]) -> ModuleType:
    """The generator of queries that the tiny model can rank."""
    return script("tools/build_tiny_models")


@pytest.fixture(scope="session")
def make_decoder() -> Callable[..., Path]:
    """``save_decoder(folder, family, *, seed, head, template, bos, **configuration)``."""
    return save_decoder
