"""Counting and cutting text by tokens of a tokenizer that is given as a function.

The tokenizer is ``text -> number of tokens`` or ``text -> (start, end) of each token``; the latter cuts exactly.
Without one, ``estimated_tokens`` stands in: it errs high for Latin text and does not rely on blanks, so Chinese,
Japanese, Korean and Thai text is not one long word. This module does not know models, prompts or control tokens.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import islice

Offsets = Sequence[tuple[int, int]]
Tokenizer = Callable[[str], int | Offsets]

_PIECE = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"  # one CJK character
    r"|[A-Za-z]{1,4}|\d|[^\W\d_]{1,2}|[^\w\s]|_|\n+"
)


def estimated_tokens(text: str) -> int:
    """How many tokens ``text`` may have: one for four Latin letters, two letters of other alphabets, a digit, a sign or
    a CJK character.

    An estimate: a real tokenizer's count is usually lower, but rare scripts and emoji may need more.

    >>> estimated_tokens("ranking passages"), estimated_tokens("東京の天気")
    (4, 5)
    """
    return len(_PIECE.findall(text))


def count_tokens(text: str, tokenizer: Tokenizer) -> int:
    """How many tokens ``text`` has."""
    found = tokenizer(text)
    return found if isinstance(found, int) else len(found)


def cut(text: str, limit: int, tokenizer: Tokenizer, found: int | Offsets | None = None) -> tuple[str, int, int]:
    """``text`` cut to at most ``limit`` tokens, how many it then has, and how many it had.

    found: what the tokenizer says of ``text``, if it has been asked. With a tokenizer that only counts, the longest
    fitting prefix is searched for. No cut is made inside a character that is built from several code points.

    >>> cut("one two three", 2, lambda text: len(text.split()))
    ('one two', 2, 3)
    """
    found = tokenizer(text) if found is None else found
    total = found if isinstance(found, int) else len(found)
    if total <= limit:
        return text, total, total
    end = _end(text, limit, tokenizer, found) if limit > 0 else 0
    while end > 0 and _joined(text[end : end + 1]):
        end -= 1
    kept = text[:end].rstrip()
    return kept, count_tokens(kept, tokenizer), total


def split(text: str, limit: int, tokenizer: Tokenizer, overlap: int = 32) -> list[str]:
    """Passages of at most ``limit`` tokens, neighbours sharing ``overlap``; the whole text if it fits.

    With a tokenizer that only counts, neighbours share nothing.

    >>> split("one two three", 2, lambda text: len(text.split()))
    ['one two', 'three']
    """
    found = tokenizer(text)
    if tokenizer is estimated_tokens and found != 0:
        found = [piece.span() for piece in _PIECE.finditer(text)]
    if not isinstance(found, int):
        return split_by_tokens(text, found, limit, overlap)
    parts = []
    while count_tokens(text, tokenizer) > limit:
        kept, _, _ = cut(text, limit, tokenizer)
        if not kept:  # one character is more than the limit
            break
        parts.append(kept)
        text = text[len(kept) :].lstrip()
    return [*parts, text] if text or not parts else parts


def split_by_tokens(text: str, offsets: Offsets, room: int, overlap: int = 32) -> list[str]:
    """Passages of at most ``room`` tokens that overlap by ``overlap`` (at most half), or the whole text if it fits.

    >>> split_by_tokens("a b c", [(0, 1), (2, 3), (4, 5)], 2, overlap=1)
    ['a b', 'b c']
    """
    count, room = len(offsets), max(1, room)
    if count <= room:
        return [text]
    step = max(1, room - min(overlap, room // 2))
    starts = range(0, count - room + step, step)
    return [text[offsets[start][0] : offsets[min(start + room, count) - 1][1]] for start in starts]


def level(sizes: Sequence[int], room: int) -> int:
    """The largest limit for which the sizes, each cut to it, add up to at most ``room``.

    >>> level([10, 100, 100], 110), level([5, 5], 100)
    (50, 5)
    """
    left = room
    for position, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - position)
        if size > share:
            return max(0, share)
        left -= size
    return max(sizes, default=0)


def _end(text: str, limit: int, tokenizer: Tokenizer, found: int | Offsets) -> int:
    """Where the first ``limit`` tokens end; there are more than that."""
    if not isinstance(found, int):
        return found[limit - 1][1]
    if tokenizer is estimated_tokens:
        return next(islice(_PIECE.finditer(text), limit - 1, None)).end()
    return _longest(text, limit, tokenizer)


def _longest(text: str, limit: int, tokenizer: Tokenizer) -> int:
    """The largest end for which the prefix has at most ``limit`` tokens; counts are taken to grow with the prefix."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count_tokens(text[:middle], tokenizer) <= limit:
            low = middle
        else:
            high = middle - 1
    return low


def _joined(character: str) -> bool:
    """Whether the character changes the one before it (accents, variation selectors, joiners)."""
    return bool(character) and (unicodedata.combining(character) > 0 or character in "\u200d\ufe0e\ufe0f")
