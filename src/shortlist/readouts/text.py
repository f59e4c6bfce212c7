"""What every readout does to a text first: normalise characters, leave the thinking out, look inside a tag.

Everything here is total (any text, lone surrogates and NUL included) and linear in the length of the text.
It does not know identifiers, scores or formats.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from dataclasses import dataclass
from functools import lru_cache

from ..core.exchange import Completion
from ..core.types import Repair

_SAME_AS = {
    **dict.fromkeys("【〔", "["), **dict.fromkeys("】〕", "]"), **dict.fromkeys("≻≥→", ">"), "−": "-",
    **dict.fromkeys("“”„‟", '"'), **dict.fromkeys("‘’‚‛", "'"),
}  # fmt: skip
_THINKING = re.compile(r"[<\[◁]\s?(/?)(?:think(?:ing)?|reason(?:ing)?)\s?[>\]▷]", re.IGNORECASE)
# The exponent and the digit runs are possessive or bounded: a megabyte of digits is passed over once.
NUMBER = r"[-+]?(?:\d++(?:\.\d++)?+|\.\d++)(?:[eE][-+]?\d{1,3}(?!\d))?+"
_WHOLE_NUMBER = re.compile(rf"({NUMBER})(?:\s?(?:/|out of)\s?(\d{{1,9}}))?")


@dataclass(frozen=True, slots=True)
class Answer:
    """The part of an output that is meant as the answer. ``problem`` names why there is none.

    closed: it stood inside a complete tag, so nothing of it was cut off.
    """

    text: str = ""
    repairs: tuple[Repair, ...] = ()
    problem: str | None = None
    closed: bool = False


def normalise(text: str) -> str:
    """``text`` with one spelling per character: compatibility forms folded, every decimal digit ASCII.

    Character by character, so that ``①②`` becomes `` 1  2 `` and not 12, and so that long runs of combining marks cost
    nothing extra. Whole numbers written as one sign (circled, superscript, Roman) get blanks around them; fractions and
    ideographs stay; invisible format characters (direction marks, zero-width blanks, byte order marks) and the frames
    of keycap emoji go.

    >>> normalise("［③］＞[١]")
    '[ 3 ]>[1]'
    """
    if text.isascii():
        return text
    return text.translate({ord(c): _plain(c) for c in set(text) if c > "\x7f"})


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    if char in _SAME_AS:
        return _SAME_AS[char]
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category in ("No", "Nl"):
        value = unicodedata.numeric(char, 0.5)
        return f" {int(value)} " if value == int(value) else char
    if category in ("Cf", "Me") or "\ufe00" <= char <= "\ufe0f":
        return ""
    return unicodedata.normalize("NFKC", char)


def answer_of(completion: Completion, tag: str = "answer") -> Answer:
    """The normalised answer of ``completion``: after the last closed thinking block, inside ``<tag>`` if there is one.

    Thinking is ``<think>``, ``<thinking>``, ``<reason>`` or ``<reasoning>``, in any case, also in square brackets.
    A block that is opened after the last closing and never closed means that nothing was answered, whatever stands
    before it: problem ``invalid_open_think``. Of several complete tags the last counts; a tag that is opened but not
    closed (a stop string, a length limit) is read to the end with the repair ``unclosed_tag``.
    """
    text = after_thinking(normalise(completion.text))
    if text is None:
        return Answer(problem="invalid_open_think")
    if not tag:
        return Answer(text)
    inside, closed = inside_tag(text, tag)
    if inside is None:
        return Answer(text)
    return Answer(inside, () if closed else (Repair("unclosed_tag", detail=f"<{tag}>"),), closed=closed)


def after_thinking(text: str) -> str | None:
    """What follows the last ``</think>``; the whole text when there is no thinking; None when a block stays open.

    >>> after_thinking("<think>[1] or [2]?</think> [2] > [1]"), after_thinking("<think>[1] is")
    (' [2] > [1]', None)
    """
    end, is_open = 0, False
    for mark in _THINKING.finditer(text):
        if mark[1]:
            end, is_open = mark.end(), False
        else:
            is_open = True
    return None if is_open else text[end:]


def inside_tag(text: str, tag: str) -> tuple[str | None, bool]:
    """(what stands inside the last complete ``<tag>``, True), (the rest after an unclosed one, False) or (None, False).

    >>> inside_tag("<answer>a</answer> or <answer>b</answer>", "answer")
    ('b', True)
    """
    span = tag_span(text, tag)
    return (None, False) if span is None else (text[span[0] : span[1]], span[2])


def tag_span(text: str, tag: str) -> tuple[int, int, bool] | None:
    """Where that begins and ends, and whether the tag is closed.

    >>> tag_span("<answer>a</answer>", "answer")
    (8, 9, True)
    """
    start, opened, inside = None, None, None
    for mark in _tag_marks(tag).finditer(text):
        if not mark[1]:
            start = opened = mark.end()
        elif start is not None:
            inside, start = (start, mark.start(), True), None
    if inside is not None:
        return inside
    return None if opened is None else (opened, len(text), False)


@lru_cache(maxsize=64)
def _tag_marks(tag: str) -> re.Pattern[str]:
    return re.compile(rf"<\s?(/?){re.escape(tag)}\s?>", re.IGNORECASE)


def read_number(text: str) -> tuple[float, int | None] | None:
    """(value, denominator) when ``text`` is one number, ``7``, ``7/10`` or ``7 out of 10``; otherwise None.

    The value may be infinite: a digit run too long for a float is a number, only a useless one.
    """
    match = _WHOLE_NUMBER.fullmatch(text.strip())
    return None if match is None else (to_float(match[1]), int(match[2]) if match[2] else None)


def to_float(digits: str) -> float:
    """``float(digits)`` for text matched by NUMBER, without spending time on absurdly long ones."""
    return float(digits) if len(digits) <= 400 else float("-inf" if digits.startswith("-") else "inf")


def last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The last of all matches from left to right."""
    last = deque(pattern.finditer(text), maxlen=1)
    return last[0] if last else None


def excerpt(text: str, size: int = 60) -> str:
    """The beginning of ``text`` as evidence in a repair: short and encodable."""
    cut = text[:size] + ("..." if len(text) > size else "")
    return cut.encode("utf-8", "replace").decode()
