"""Tiny checkpoints that are the same everywhere: weights from numpy's frozen RandomState, one stream per parameter
name, and vocabularies written out, so that numbers recorded from other people's code keep their meaning.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

TRUE, FALSE, EXTRA_10 = 1176, 6136, 6189  # true and false where T5's vocabulary has them
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
WORDS = "query document passage Query Document Passage Relevant the of a how long do fleas live cost concrete floor"


def fill(model: Any, scale: float = 0.3) -> Any:
    """The model in eval mode with every parameter drawn by its name."""
    import torch

    for name, parameter in model.named_parameters():
        drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(parameter.shape))
        centre = 1.0 if "norm" in name else 0.0
        parameter.data = torch.tensor(centre + scale * drawn, dtype=torch.float32)
    return model.eval()


def t5(folder: Path) -> Path:
    """Two layers of T5 over 6,200 pieces: words, characters, fillers, extra ids at the end."""
    import transformers
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    words = [f"\u2581{w}" for w in (*WORDS.split(), "Query:", "Document:", "Document0:", "Document1:", "Relevant:")]
    pieces = ["<pad>", "</s>", "<unk>", *words, "\u2581", *map(chr, range(33, 127))]
    pieces += [f"filler{i}" for i in range(len(pieces), 6179)] + [f"<extra_id_{i}>" for i in range(21)]
    pieces[TRUE], pieces[FALSE] = "\u2581true", "\u2581false"
    scores = [(p, -2.0 if p.startswith("\u2581") and len(p) > 1 else -6.0) for p in pieces]
    made = Tokenizer(models.Unigram(scores, unk_id=2, byte_fallback=False))
    made.normalizer = normalizers.Sequence(  # as T5's: outer blanks go, inner ones become one
        [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="</s>", pad_token="<pad>", unk_token="<unk>", model_max_length=512,
        additional_special_tokens=[f"<extra_id_{i}>" for i in range(21)], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    config = transformers.T5Config(
        vocab_size=len(pieces), d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, decoder_start_token_id=0,
        tie_word_embeddings=True,
    )  # fmt: skip
    fill(transformers.T5ForConditionalGeneration(config)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def decoder(folder: Path, family: str, head: str = "CausalLM", *, bos: bool = False, **changes: Any) -> Path:
    """Two layers of Llama, Qwen2 or Qwen3 with a byte-level vocabulary of the words here, ChatML and thinking marks."""
    import transformers
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    special = ["<|pad|>", "<|im_start|>", "<|im_end|>", "<s>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(_merges((*WORDS.split(), "yes", "no", "true", "false")))
    vocabulary = {p: i for i, p in enumerate(dict.fromkeys((*special, *alphabet, *(a + b for a, b in merges))))}
    made = Tokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(special)
    made.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in ("<think>", "</think>")])
    if bos:
        number = made.token_to_id("<s>")
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", number)]
        )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<|pad|>", eos_token="<|im_end|>", bos_token="<s>",
        additional_special_tokens=["<|im_start|>"], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    tokenizer.chat_template = CHATML
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    shape |= {"num_key_value_heads": 2, "max_position_embeddings": 1024, "vocab_size": len(tokenizer)}
    shape |= {"head_dim": 8} if family == "Qwen3" else {}
    ids = {"eos_token_id": 2, "bos_token_id": 3, "pad_token_id": 0}
    config = getattr(transformers, f"{family}Config")(**shape, **ids, **changes)
    fill(getattr(transformers, f"{family}For{head}")(config), 0.2).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _merges(words: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Each word, and it behind a blank, letter by letter."""
    seen: dict[tuple[str, str], None] = {}
    for word in (form for w in words for form in (w, f"\u0120{w}")):
        for end in range(1, len(word)):
            seen.setdefault((word[:end], word[end]))
    return seen


def checksum(ids: Iterable[int]) -> int:
    """Of a row of token ids."""
    return zlib.crc32(" ".join(map(str, ids)).encode())
