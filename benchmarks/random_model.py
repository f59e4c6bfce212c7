"""A language model with random weights and a tokenizer of its own, made on the spot from a fixed seed.

The tokenizer is a byte-level BPE learnt from the demo collection's passages, with ChatML turns; Yes, No and
letters are one token each. The weights mean
nothing: such a model costs what a trained one of its shape costs, and ranks by chance. It never ends an answer by
itself within the lengths that are asked for here, so an answer is as long as ``max_tokens`` lets it be.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from shortlist import Candidate, Document, Query, Ranking

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LLAMA3 = "|".join(
    [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
"""The expression by which Llama 3's tokenizer cuts texts into words."""
QUERIES = (
    "why does my coffee taste sour",
    "how fine should I grind for a paper filter",
    "can old beans be saved by freezing them",
    "what does descaling do to the taste",
    "which trees resist leaf rust",
)


def sentences() -> list[str]:
    """The sentences of the demo collection."""
    import shortlist.demo

    corpus = Path(shortlist.__file__).parent / "demo" / "corpus.jsonl"
    texts = [json.loads(line)["text"] for line in corpus.read_text("utf-8").splitlines()]
    return [sentence.strip() + "." for text in texts for sentence in text.split(". ") if sentence.strip()]


def make_tokenizer(vocabulary: int = 8000) -> Any:
    """A fast tokenizer of transformers."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|im_start|>", "<|im_end|>", "<s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator([*sentences(), *["Yes\nNo\nyes\nno\n"] * 20], trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<|pad|>", eos_token="<|im_end|>", bos_token="<s>",
        additional_special_tokens=["<|im_start|>"], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    wrapped.chat_template = CHATML
    return wrapped


def make_llama(folder: Path, *, hidden: int, layers: int, heads: int, vocabulary: int = 32000, seed: int = 0) -> int:
    """Write a Llama in float32 with tied embeddings and its tokenizer; returns the number of parameters."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=hidden * 8 // 3, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=heads, max_position_embeddings=16384, tie_word_embeddings=True,
        pad_token_id=0, bos_token_id=3, eos_token_id=2,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(p.numel() for p in model.parameters())


def rankings(queries: int, candidates: int, tokens: int, tokenizer: Any, seed: int = 0) -> list[Ranking]:
    """Passages of about ``tokens`` tokens: shuffled sentences of the demo collection, none the same as another."""
    random, pool = Random(seed), sentences()
    made = []
    for q in range(queries):
        found = []
        for d in range(candidates):
            text, length = "", 0
            while length < tokens:
                text += (" " if text else "") + random.choice(pool)
                length = len(tokenizer.encode(text, add_special_tokens=False))
            found.append(Candidate(Document(f"q{q}d{d}", text), float(candidates - d)))
        made.append(Ranking(Query(f"q{q}", QUERIES[q % len(QUERIES)]), tuple(found)))
    return made
