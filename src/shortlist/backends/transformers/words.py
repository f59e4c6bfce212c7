"""Tokens of a text from a cache of its words, for byte-level BPE vocabularies: the same tokens in less time.

These tokenizers cut a text into words by a regular expression and encode every word by itself, so a word's tokens are
the same wherever it stands. This is used only where it can be seen to hold: the expressions of GPT-2, Llama 3 and
Qwen 2 (and single digits cut off before), no normalisation but NFC, and characters of which all versions of Unicode
say the same. For any other tokenizer or text the answer is None, and the tokenizer itself is to be asked.

Source: the tokenizers library, with whose results the tests compare. It does not know chats or models.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Literal, overload

Span = tuple[int, int]

_MOST = 100_000  # words that are kept: some 20 MB
_LONGEST = 64  # characters of a word that is kept
_RANGES = [
    (9, 11), (13, 14), (0x20, 0x7F), (0xA1, 0x17F), (0x180, 0x250), (0x400, 0x460), (0x2010, 0x2028), (0x20AC, 0x20AD),
]  # fmt: skip
_KNOWN = frozenset(i for a, b in _RANGES for i in range(a, b))  # without U+017F, which (?i:s) matches
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_LLAMA3 = _QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
_DIGITS = r"\p{N}|[^\p{N}]+"


class Words:
    """The cache of one tokenizer, a ``tokenizers.Tokenizer`` that splits special tokens (``encode_special_tokens``)."""

    def __init__(self, tokenizer: Any, expressions: list[str], offsets_known: bool) -> None:
        self._steps = [_compiled(expression) for expression in expressions]
        self._ids = _Known(tokenizer, "ids")
        self._spans = _Known(tokenizer, "offsets")
        self._foreign = re.compile(f"[^{_class(_KNOWN)}]")
        added = tokenizer.get_added_tokens_decoder()
        self._numbers = {token.content: number for number, token in added.items()}
        self._special = {token.content for token in added.values() if token.special}
        # the library looks for those that are not normalised first, then between them for the others
        kinds = [[t.content for t in added.values() if t.normalized is kind] for kind in (False, True)]
        self._added = [any_of(contents) for contents in kinds if contents]
        self._offsets_known = offsets_known

    @classmethod
    def of(cls, tokenizer: Any) -> Words | None:
        """The cache of a tokenizer, or None when it is not of the known kind."""
        described = json.loads(tokenizer.to_str())
        expressions = _expressions(described.get("pre_tokenizer") or {})
        model = described["model"]
        parts = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")
        plain = model["type"] == "BPE" and not any(model.get(name) for name in parts)
        plain = plain and (described.get("normalizer") or {"type": "NFC"})["type"] == "NFC"
        added = tokenizer.get_added_tokens_decoder().values()
        plain = plain and not any(token.lstrip or token.rstrip or token.single_word for token in added)
        if not plain or not expressions:
            return None
        return cls(tokenizer, expressions, '"trim_offsets": true' not in json.dumps(described.get("post_processor")))

    def ids(self, text: str, *, split: bool) -> list[int] | None:
        """The tokens of a text. split: special tokens are split, as they must be in texts of others."""
        if self._foreign.search(text):
            return None
        if not any(pattern.search(text) for pattern in self._added):
            return list(chain.from_iterable(map(self._ids.__getitem__, self._cut(text))))
        ids: list[int] = []
        for part, added in self._parts(text, split):
            if added:
                ids.append(self._numbers[part])
            else:
                ids += chain.from_iterable(map(self._ids.__getitem__, self._cut(part)))
        return ids

    def offsets(self, text: str) -> Sequence[Span] | None:
        """Where the tokens of a text, special ones split, begin and end."""
        if not self._offsets_known or self._foreign.search(text) or any(p.search(text) for p in self._added):
            return None
        return _Spans(self._cut(text), self._ids, self._spans)

    def _parts(self, text: str, split: bool) -> list[tuple[str, bool]]:
        """The text between added tokens, and these tokens (True)."""
        parts = [(text, False)]
        for pattern in self._added:
            parts = [
                piece
                for part, added in parts
                for piece in ([(part, True)] if added else self._between(part, pattern, split))
            ]
        return parts

    def _between(self, text: str, pattern: re.Pattern[str], split: bool) -> Iterator[tuple[str, bool]]:
        start = 0
        for found in pattern.finditer(text):
            if split and found[0] in self._special:
                continue
            if found.start() > start:
                yield text[start : found.start()], False
            yield found[0], True
            start = found.end()
        if start < len(text):
            yield text[start:], False

    def _cut(self, text: str) -> list[str]:
        first, *rest = self._steps
        words: list[str] = first.findall(text)
        for step in rest:
            words = [word for part in words for word in step.findall(part)]
        return words


class _Known(dict[str, tuple[Any, ...]]):
    """What the tokenizer says of the words seen so far; it is asked about others when they are looked up."""

    def __init__(self, tokenizer: Any, what: Literal["ids", "offsets"]) -> None:
        super().__init__()
        self._tokenizer, self._what = tokenizer, what

    def __missing__(self, word: str) -> tuple[Any, ...]:
        found = tuple(getattr(self._tokenizer.encode(word, add_special_tokens=False), self._what))
        if len(word) <= _LONGEST:
            if len(self) >= _MOST:
                self.clear()
            self[word] = found
        return found


class _Spans(Sequence[Span]):
    """Offsets of tokens that are worked out when one is looked at; usually only their number is."""

    def __init__(self, words: list[str], ids: _Known, spans: _Known) -> None:
        self._words, self._spans = words, spans
        self._length = sum(map(len, map(ids.__getitem__, words)))

    def __len__(self) -> int:
        return self._length

    @cached_property
    def _all(self) -> list[Span]:
        at, found = 0, []
        for word in self._words:
            found += [(at + start, at + end) for start, end in self._spans[word]]
            at += len(word)
        return found

    @overload
    def __getitem__(self, at: int) -> Span: ...
    @overload
    def __getitem__(self, at: slice) -> list[Span]: ...
    def __getitem__(self, at: int | slice) -> Span | list[Span]:
        return self._all[at]

    def __eq__(self, other: object) -> bool:
        return self._all == (other._all if isinstance(other, _Spans) else other)


def _expressions(described: dict[str, Any]) -> list[str]:
    """The expressions by which a text is cut, one after the other; none when a step is not known."""
    found: list[str] = []
    *steps, last = described.get("pretokenizers") or [described]
    for step in steps:
        if step["type"] == "Digits" and step["individual_digits"]:
            found.append(_DIGITS)
        elif step["type"] == "Split" and (step["behavior"], step["invert"]) == ("Isolated", False):
            found.append(step["pattern"].get("Regex", ""))
        else:
            return []
    if last.get("type") != "ByteLevel" or last["add_prefix_space"]:
        return []
    found += [_GPT2] if last.get("use_regex", True) else []
    return found if set(found) <= {_GPT2, _QWEN2, _LLAMA3, _DIGITS} else []


def _compiled(expression: str) -> re.Pattern[str]:
    """The expression for Python's module: letters and numbers are spelled out, for the known characters."""
    letters, numbers = (_class({i for i in _KNOWN if unicodedata.category(chr(i))[0] == name}) for name in "LN")
    expression = expression.replace(r"\p{L}\p{N}]", f"{letters}{numbers}]").replace(r"[^\p{N}]", f"[^{numbers}]")
    return re.compile(expression.replace(r"\p{L}", f"[{letters}]").replace(r"\p{N}", f"[{numbers}]"))


def _class(characters: frozenset[int] | set[int]) -> str:
    """The characters as ranges inside of a class."""
    starts = sorted(i for i in characters if i - 1 not in characters)
    ends = sorted(i for i in characters if i + 1 not in characters)
    return "".join(f"\\u{a:04x}-\\u{b:04x}" for a, b in zip(starts, ends, strict=True))


def any_of(strings: Iterable[str]) -> re.Pattern[str]:
    """Matches the longest of the strings; nothing when there are none.

    What all begin with stands in front of the alternatives, because a search for a fixed text is much faster.
    """
    longest_first = sorted(strings, key=len, reverse=True)
    if not longest_first:
        return re.compile(r"(?!)")
    low, high = min(longest_first), max(longest_first)
    shared = low[: next((i for i, pair in enumerate(zip(low, high, strict=False)) if pair[0] != pair[1]), len(low))]
    return re.compile(re.escape(shared) + f"(?:{'|'.join(re.escape(s.removeprefix(shared)) for s in longest_first)})")
