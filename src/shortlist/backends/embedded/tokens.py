"""Texts to token ids with the model's own tokenizer: cached, without special tokens, with character places.

A document that is met with many queries is tokenised once (an LRU cache by text). Special tokens are added afterwards
from a template that is read off the tokenizer, so a pair is two cached pieces put together and not a third
tokenisation.

Source of the format: Hugging Face `tokenizers` (`tokenizer.json`). Nothing is cut here; whoever cuts, counts.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import ConfigError

Ids = NDArray[np.int32]
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a text: ``text[start:end]``, with its number of tokens (special tokens not counted)."""

    start: int
    end: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Template:
    """Special tokens around one text or a pair: ids of each piece, and the type ids of the two texts."""

    before: Ids
    between: Ids
    after: Ids
    types: tuple[int, int]
    single_after: Ids


@dataclass
class TextTokens:
    """A tokenizer file. cache_size: number of texts whose ids are kept."""

    path: Path
    cache_size: int = 20_000
    _cache: OrderedDict[str, Ids] = field(init=False, repr=False, default_factory=OrderedDict)
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    @cached_property
    def tokenizer(self) -> Any:
        import tokenizers

        if not self.path.is_file():
            raise ConfigError(
                f"{self.path}: not found; a model folder holds config.json, tokenizer.json and the weights"
            )
        tokenizer = tokenizers.Tokenizer.from_file(str(self.path))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    def encode(self, text: str) -> Any:
        """The tokenizer's own answer (ids, offsets, words) without special tokens.

        Half surrogates, which are no text for it, become U+FFFD: one character for one, so that offsets hold.
        """
        try:
            return self.tokenizer.encode(text, add_special_tokens=False)
        except TypeError:
            return self.tokenizer.encode(_SURROGATE.sub("\ufffd", text), add_special_tokens=False)

    def ids(self, text: str) -> Ids:
        """Token ids of ``text`` without special tokens; shared, so not to be written to."""
        with self._lock:
            known = self._cache.get(text)
            if known is not None:
                self._cache.move_to_end(text)
                return known
        encoded = self.encode(text)
        ids: Ids = np.array(encoded.ids, np.int32)
        ids.flags.writeable = False
        with self._lock:
            self._cache[text] = ids
            if len(self._cache) > self.cache_size:
                self._cache.popitem(last=False)
        return ids

    @cached_property
    def template(self) -> Template:
        """Read off the tokenizer: what it puts around and between two texts."""
        pair = self.tokenizer.encode("a", "b")
        single = self.tokenizer.encode("a")
        sequence = pair.sequence_ids
        first = [i for i, s in enumerate(sequence) if s == 0]
        second = [i for i, s in enumerate(sequence) if s == 1]
        ids = np.array(pair.ids, np.int32)
        only = [i for i, s in enumerate(single.sequence_ids) if s == 0]
        return Template(
            before=ids[: first[0]],
            between=ids[first[-1] + 1 : second[0]],
            after=ids[second[-1] + 1 :],
            types=(pair.type_ids[first[0]], pair.type_ids[second[0]]),
            single_after=np.array(single.ids[only[-1] + 1 :], np.int32),
        )

    @property
    def single_extra(self) -> int:
        """Special tokens added to one text."""
        return len(self.template.before) + len(self.template.single_after)

    @property
    def pair_extra(self) -> int:
        """Special tokens added to a pair."""
        return len(self.template.before) + len(self.template.between) + len(self.template.after)

    def split(self, text: str, max_tokens: int, overlap: int = 0) -> list[Passage]:
        """Cut a text into passages of at most ``max_tokens`` tokens, at word borders, ``overlap`` tokens shared by
        neighbours.

        Every character that belongs to a token is in a passage. A text that fits, the empty one included, is one
        passage. Raises ConfigError unless 0 <= overlap < max_tokens.
        """
        if not 0 <= overlap < max_tokens:
            raise ConfigError(
                f"overlap is {overlap} and max_tokens is {max_tokens}; expected 0 <= overlap < max_tokens"
            )
        encoded = self.encode(text)
        total = len(encoded.ids)
        if total <= max_tokens:
            return [Passage(0, len(text), total)]
        offsets = encoded.offsets  # a property that builds a list each time it is read
        borders = _borders(encoded.word_ids, max_tokens)
        passages: list[Passage] = []
        first = 0
        while True:
            last = self._reach(text, offsets, borders, first, max_tokens)
            start, end = offsets[first][0], offsets[last - 1][1]
            passages.append(Passage(start, end, len(self.encode(text[start:end]).ids)))
            if last == total:
                return passages
            back = borders[max(0, bisect_right(borders, last - overlap) - 1)]
            first = back if back > first else last

    def _reach(self, text: str, offsets: list[tuple[int, int]], borders: list[int], first: int, max_tokens: int) -> int:
        """The last border whose passage, tokenised on its own, still fits (a cut inside a word can add a token)."""
        inside = borders[bisect_right(borders, first) : bisect_right(borders, first + max_tokens)]
        for last in reversed(inside):
            piece = text[offsets[first][0] : offsets[last - 1][1]]
            if len(self.encode(piece).ids) <= max_tokens:
                return last
        return inside[0]


def _borders(words: list[int | None], max_tokens: int) -> list[int]:
    """Token positions at which a passage may start: word starts, and every token of a word longer than a passage."""
    starts = [i for i in range(len(words)) if i == 0 or words[i] is None or words[i] != words[i - 1]]
    borders: list[int] = []
    for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
        borders += range(start, end) if end - start > max_tokens else [start]
    return [*borders, len(words)]
