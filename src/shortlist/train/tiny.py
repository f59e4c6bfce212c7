"""Random models of a few thousand weights with their tokenizers, made on the spot: for smoke runs and tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..backends.transformers.local import Task
from ..core.extras import need
from .generated import lexicon
from .students._open import quiet

_CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_SAID = "Yes No yes no true false Passage Query Document Relevant passage query document the of to relevance"


def tiny_model(folder: Path, task: Task, *, decoder: bool = False, seed: int = 0, **changes: Any) -> Path:
    """A two-layer BERT, with ``decoder`` a Llama, for the task ``seq2seq`` a T5, saved in ``folder``. changes: of its
    configuration.

    A BERT is saved without a classification head, as pretrained ones are.
    """
    torch, transformers = need("torch>=2.4", extra="train"), need("transformers>=4.48", extra="train")
    quiet()
    torch.manual_seed(seed)
    shape: dict[str, Any]
    if task == "seq2seq":
        tokenizer = _piece_tokenizer(transformers)
        shape = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0}
        config = transformers.T5Config(vocab_size=len(tokenizer), **{**shape, "tie_word_embeddings": False, **changes})
        transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder
    tokenizer = _chat_tokenizer(transformers) if decoder else _word_tokenizer(transformers)
    if decoder:
        shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
        shape |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096}
        ids = {"pad_token_id": 0, "bos_token_id": 3, "eos_token_id": 2, "vocab_size": len(tokenizer)}
        config = transformers.LlamaConfig(**{**shape, **ids, "initializer_range": 0.1, **changes})
        made = transformers.LlamaForCausalLM if task == "causal" else transformers.LlamaModel
    else:
        shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        shape |= {"max_position_embeddings": 128, "vocab_size": len(tokenizer), "initializer_range": 0.1}
        config = transformers.BertConfig(**{**shape, **changes})
        made = transformers.BertModel
    made(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _word_tokenizer(transformers: Any) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    pieces = dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *lexicon(), *letters])
    ids = {piece: i for i, piece in enumerate([*pieces, *(f"##{c}" for c in letters)])}
    made = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]",
    )  # fmt: skip


def _piece_tokenizer(transformers: Any) -> Any:
    """A unigram vocabulary of the words, true, false and single characters, with T5's end and extra tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    words = (f"\u2581{word}" for word in (*lexicon(), "true", "false"))
    pieces = ["<pad>", "</s>", "<unk>", *words, "\u2581", *map(chr, range(33, 127))]
    extra = [f"<extra_id_{i}>" for i in range(12)]
    made = Tokenizer(models.Unigram([(p, -2.0 - (len(p) < 3) * 4) for p in (*pieces, *extra)], unk_id=2))
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A $B </s>", special_tokens=[("</s>", 1)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        additional_special_tokens=extra, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def _chat_tokenizer(transformers: Any) -> Any:
    """Byte-level BPE in which every invented word is one token, with ChatML's control tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    special = ["<|pad|>", "<|im_start|>", "<|im_end|>", "<s>", "<|endoftext|>"]
    merges = list(_merges([*lexicon(), *_SAID.split()]))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = dict.fromkeys((*special, *alphabet, *(a + b for a, b in merges)))
    made = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(special)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<|pad|>", eos_token="<|im_end|>", bos_token="<s>",
        additional_special_tokens=["<|im_start|>", "<|endoftext|>"], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    tokenizer.chat_template = _CHATML
    return tokenizer


def _merges(words: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Each word, and it behind a blank, letter by letter."""
    seen: dict[tuple[str, str], None] = {}
    for form in (form for word in words for form in (word, f"\u0120{word}")):
        for end in range(1, len(form)):
            seen.setdefault((form[:end], form[end]))
    return seen
