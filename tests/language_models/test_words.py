"""The cache of words gives the tokens that the tokenizers library gives, whatever the text; or it says None."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shortlist.backends.transformers.words import _DIGITS, _GPT2, _LLAMA3, _QWEN2, Words

KINDS = ("gpt2", "qwen2", "llama3", "digits")
PARTS = [
    "the", " the", " The", "'s", "'LL", "it's", " 12", "1234", "7", " ", "  ", "\t", "\n", "\r\n", "\n\n", ".", "...",
    "!?", "[1]", "(", '"', "é", "Ünï", "мир", "€", "\u2019", "\u2014", "½", "²", "_", "<|im_end|>", "<think>", "<th",
    "ink>", "x", "ab", "<|im_", "end|>", "ŀ", "\u00ad",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS), max_size=14).map("".join) | st.text(max_size=20)


@cache
def tokenizer(kind: str, split: bool = False) -> Any:
    tokenizers = pytest.importorskip("tokenizers")
    pre, regex = tokenizers.pre_tokenizers, tokenizers.Regex
    level = pre.ByteLevel(add_prefix_space=False, use_regex=kind in ("gpt2", "digits"))
    before = {
        "gpt2": [],
        "digits": [pre.Digits(individual_digits=True)],
        "qwen2": [pre.Split(regex(_QWEN2), "isolated")],
        "llama3": [pre.Split(regex(_LLAMA3), "isolated")],
    }[kind]
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.normalizer = tokenizers.normalizers.NFC() if kind == "qwen2" else None
    made.pre_tokenizer = pre.Sequence([*before, level]) if before else level
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=sorted(pre.ByteLevel.alphabet()), show_progress=False
    )
    made.train_from_iterator(["the theory is there, it's 1234 it'll end \n\n... мир é"] * 3, trainer)
    made.add_special_tokens([tokenizers.AddedToken("<|im_end|>", normalized=False, special=True)])
    made.add_tokens([tokenizers.AddedToken("<think>", normalized=True), tokenizers.AddedToken("ab", normalized=False)])
    made.encode_special_tokens = split
    return made


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=300, deadline=None)
@given(TEXTS)
@example("a  b")
@example("x <|im_end|>  y<think>\n\n1")
@example(" \n \n x")
def test_tokens_and_offsets_are_the_librarys(kind: str, text: str) -> None:
    parsing, splitting = tokenizer(kind), tokenizer(kind, split=True)
    words = Words.of(splitting)
    assert words is not None
    for made, split in ((parsing, False), (splitting, True)):
        found = words.ids(text, split=split)
        assert found is None or found == made.encode(text, add_special_tokens=False).ids
    offsets = words.offsets(text)
    assert offsets is None or offsets == splitting.encode(text, add_special_tokens=False).offsets


@pytest.mark.parametrize("kind", KINDS)
def test_plain_western_text_is_understood_and_other_scripts_are_left_to_the_library(kind: str) -> None:
    words = Words.of(tokenizer(kind, split=True))
    assert words is not None
    for text in ("".join(PARTS), "naïve café — “quoted”, 12 %\r\n\tend"):
        assert words.ids(text, split=False) == tokenizer(kind).encode(text, add_special_tokens=False).ids
    for text in ("東京", "e\u0301", "a\u00a0b", "ſ", "\x1c", "👍"):
        assert words.ids(text, split=False) is None
        assert words.offsets(text) is None


def test_tokenizers_of_other_kinds_are_refused() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    pre, bpe = tokenizers.pre_tokenizers, tokenizers.models.BPE
    changes: list[dict[str, Any]] = [
        {"pre_tokenizer": pre.ByteLevel(add_prefix_space=True)},
        {"pre_tokenizer": pre.Metaspace()},
        {"pre_tokenizer": pre.Sequence([pre.Whitespace(), pre.ByteLevel(add_prefix_space=False)])},
        {"pre_tokenizer": pre.Split(tokenizers.Regex(r"\w+"), "isolated")},
        {"normalizer": tokenizers.normalizers.Lowercase()},
        {"model": bpe(dropout=0.1)},
        {"model": tokenizers.models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")},
    ]
    for change in changes:
        made = tokenizers.Tokenizer(bpe())
        made.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)
        assert Words.of(made) is not None
        for name, value in change.items():
            setattr(made, name, value)
        assert Words.of(made) is None, change
    made.add_tokens([tokenizers.AddedToken("<x>", lstrip=True)])
    assert Words.of(made) is None


def test_known_words_are_forgotten_when_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist.backends.transformers.words._MOST", 3)
    words = Words.of(tokenizer("gpt2", split=True))
    assert words is not None
    text = "the theory of 1234 mice and it's end"
    assert words.ids(text, split=False) == tokenizer("gpt2").encode(text, add_special_tokens=False).ids
    assert len(words._ids) <= 3
    long = "x" * 5000
    assert words.ids(long, split=False) == tokenizer("gpt2").encode(long, add_special_tokens=False).ids
    assert long not in words._ids


def test_the_expression_for_single_digits_has_no_class_left() -> None:
    assert "\\p" in _DIGITS and "\\p" in _GPT2
    assert all("\\p" not in step.pattern for step in Words.of(tokenizer("digits", split=True))._steps)  # type: ignore[union-attr]
