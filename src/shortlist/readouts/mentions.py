"""Where an answer names documents.

An answer is read in the clearest form that it uses, never in a mixture: identifiers in square brackets; else behind a
word (``Document 3``, ``PASSAGE3``, ``"id": 3``); else bare. Letters are never joined to numbers or to words.
This module does not know what the mentions are used for (an order, a choice, the keys of scores).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise
from typing import Literal, NamedTuple

from .identifiers import LETTERS, Identifiers, index_of
from .text import normalise

Form = Literal["bracketed", "named", "bare"]
FORMS: tuple[Form, ...] = ("bracketed", "named", "bare")
BLANK = " \t\r\n.!\"'`*()"
"""What may stand around an answer without changing it."""
MOST = 100_000
"""Mentions that are read of one text: far more than any group has, so only a model caught in a loop gets there."""

_NAMES = (
    "documents?|docs?|passages?|texts?|candidates?|items?|snippets?|results?|assistant|response|answer|identifier|id"
)
_BRACKET = re.compile(r"\[([^\[\]]*+)\]")
_SEPARATORS = r"(?:[\s,;>=|/&\"'`#:{}()*_]|\.(?=\s|\Z))++"
_MARKER = re.compile(r"^[ \t]{0,20}(\d{1,4})[.)](?=[ \t]++\S)", re.MULTILINE)
_JOINT = re.compile(r"[\s>,;=|/&*_`\"'-]*+(?:\d{1,4}[.):][\s*_]*+)?")
_LISTING = re.compile(r"[>,;=|/\n]")


class Mention(NamedTuple):
    """An identifier in a text. ``position`` is what it names, inside the group or not."""

    position: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Found:
    """The identifiers of the clearest form in a text, the first MOST of them.

    ``unreadable`` counts brackets with digits that name nothing.
    """

    mentions: tuple[Mention, ...] = ()
    form: Form = "bracketed"
    unreadable: int = 0


def named_in(identifiers: Identifiers, text: str) -> list[int] | None:
    """The positions that a short text lists (``3``, ``Document 3``, ``2, 1``), or None when it says anything else."""
    token = text.strip()
    index = index_of(identifiers, token)
    if index is not None:
        return [index]
    found: list[int] = []
    at = 0
    pattern = _patterns(identifiers).item
    while at < len(token) and len(found) < MOST:
        match = pattern.match(token, at)
        if match is None:
            return None
        if match.lastgroup == "id":
            index = index_of(identifiers, match["id"])
            found += [] if index is None else [index]
        at = match.end()
    return found or None


def find(text: str, identifiers: Identifiers, *, finished: bool = True, listing: bool = True) -> Found:
    """Every identifier in ``text``, which must be normalised, in the clearest form that occurs.

    finished: False when the text was cut, so that a bare number at its end may be the beginning of a longer one.
    listing: bare letters and words count only in a list (``C > B``, ``C, B``) or as the whole text; otherwise wherever
    they stand alone, except the article "A" and the pronoun "I".
    """
    mentions, unreadable = _bracketed(text, identifiers)
    if mentions:
        return Found(tuple(mentions), "bracketed", unreadable)
    pattern = _patterns(identifiers)
    named = _uncut(_named(text, identifiers, pattern), text, finished)
    if named and not (listing and ">" in text):
        return Found(tuple(named), "named", unreadable)
    if identifiers == "numbers":
        bare = _uncut(_bare_numbers(text, pattern.bare), text, finished)
    else:
        bare = _bare_labels(text, identifiers, pattern.bare, listing)
    if named and _longest_arrow(text, bare) <= len({m.position for m in named}):
        return Found(tuple(named), "named", unreadable)
    return Found(tuple(bare), "bare", unreadable)


def _longest_arrow(text: str, mentions: list[Mention]) -> int:
    """The most identifiers that one ``3 > 1 > 2`` holds: it outweighs a "Document 1" in the explanation behind it."""
    longest = 0
    for run in chains(text, tuple(mentions)):
        if len(run) > longest and all(">" in text[a.end : b.start] for a, b in pairwise(run)):
            longest = len({m.position for m in run})
    return longest


def chains(text: str, mentions: tuple[Mention, ...]) -> list[list[Mention]]:
    """``mentions`` cut into runs that nothing but list punctuation and numbering stands between."""
    runs: list[list[Mention]] = []
    last: Mention | None = None
    for mention in mentions:
        joined = last is not None and (
            mention.start < last.end
            or (mention.start - last.end <= 40 and _JOINT.fullmatch(text, last.end, mention.start) is not None)
        )
        if joined:
            runs[-1].append(mention)
        else:
            runs.append([mention])
        last = mention
    return runs


def is_guess(found: Found, text: str, asked: Form) -> bool:
    """Whether the form is looser than what was asked for, unless one identifier is the whole of ``text``."""
    if FORMS.index(found.form) <= FORMS.index(asked):
        return False
    first = found.mentions[0] if len(found.mentions) == 1 else None
    return first is None or text[first.start : first.end] != text.strip(BLANK)


@dataclass(frozen=True, slots=True)
class _Patterns:
    item: re.Pattern[str]
    named: re.Pattern[str]
    more: re.Pattern[str]
    bare: re.Pattern[str]


@lru_cache(maxsize=64)
def _patterns(identifiers: Identifiers) -> _Patterns:
    names = rf"(?i:{_NAMES})(?i:[ _-]?(?:id|index|number|no)\b)?"
    if identifiers == "numbers":
        token = r"(?<![\d.])-?\d++(?![^\W_]|\.\d)"
        bare = r"(?<!\w)(?<!\d\.)-?\d++(?![\w%]|\.\d)"
    elif identifiers == "letters":
        token, bare = r"[A-Za-z](?!\w)", r"(?<![\w'’])[A-Za-z](?![\w'’])"
    else:
        some = "|".join(re.escape(normalise(label).strip()) for label in sorted(identifiers, key=len, reverse=True))
        token, bare = rf"(?i:{some})(?!\w)", rf"(?<![\w'’])(?i:{some})(?![\w'’])"
    behind = token.removeprefix(r"(?<![\d.])")
    return _Patterns(
        item=re.compile(rf"(?P<sep>{_SEPARATORS}|and\b)|(?P<id>{token})|(?P<word>{names})"),
        named=re.compile(rf"(?<![^\W_]){names}[\"'\s#:=(_-]{{0,4}}(?P<id>{behind})"),
        more=re.compile(rf"\s{{0,4}}(?:[>,;]|and\b)\s{{0,4}}(?P<id>{behind})(?!\s?(?!and\b)[^\W\d_])"),
        bare=re.compile(rf"(?P<id>{bare})"),
    )


def _bracketed(text: str, identifiers: Identifiers) -> tuple[list[Mention], int]:
    mentions, unreadable = [], 0
    for bracket in _BRACKET.finditer(text):
        indices = named_in(identifiers, bracket[1])
        if indices is not None:
            mentions += [Mention(i, bracket.start(), bracket.end()) for i in indices]
        elif identifiers == "numbers" and any("0" <= c <= "9" for c in bracket[1]):
            unreadable += 1
        if len(mentions) >= MOST:
            break
    return mentions[:MOST], unreadable


def _mentions(pattern: re.Pattern[str], text: str, identifiers: Identifiers) -> list[Mention]:
    known: dict[str, int | None] = {}  # a megabyte of identifiers has few different ones
    found = []
    for match in islice(pattern.finditer(text), MOST):
        token = match["id"]
        if token not in known:
            known[token] = index_of(identifiers, token)
        index = known[token]
        if index is not None:
            found.append(Mention(index, match.start(), match.end()))
    return found


def _named(text: str, identifiers: Identifiers, pattern: _Patterns) -> list[Mention]:
    """Identifiers behind a word, and the list that such a word begins: ``Documents: 3, 1 and 2``."""
    found: list[Mention] = []
    match = pattern.named.search(text)
    while match is not None and len(found) < MOST:
        index = index_of(identifiers, match["id"])
        sure = identifiers == "numbers" or _is_label(match["id"], text, match.start("id"), identifiers)
        if index is not None and sure:
            found.append(Mention(index, match.start(), match.end()))
        match = pattern.more.match(text, match.end()) or pattern.named.search(text, match.end())
    return found


def _uncut(mentions: list[Mention], text: str, finished: bool) -> list[Mention]:
    """Without the last mention when the text was cut right behind it: ``1`` may have become ``12``."""
    return mentions if finished or not mentions or mentions[-1].end < len(text) else mentions[:-1]


def _bare_numbers(text: str, pattern: re.Pattern[str]) -> list[Mention]:
    """All free-standing numbers; the numbering of a list (1. 2. 3. at line starts) is left out if each line goes on to
    name a document."""
    mentions = _mentions(pattern, text, "numbers")
    markers = list(_MARKER.finditer(text))
    if [int(m[1]) for m in markers] != list(range(1, len(markers) + 1)) or not markers:
        return mentions
    starts = {m.start(1) for m in markers}
    items = [m for m in mentions if m.start not in starts]
    ends = [m.start() for m in markers[1:]] + [len(text)]
    at = 0
    for marker, end in zip(markers, ends, strict=True):
        while at < len(items) and items[at].start < marker.end():
            at += 1
        if at == len(items) or items[at].start >= end:
            return mentions
    return items


def _bare_labels(text: str, identifiers: Identifiers, pattern: re.Pattern[str], listing: bool) -> list[Mention]:
    mentions = _mentions(pattern, text, identifiers)
    whole = text.strip(BLANK)
    if len(mentions) == 1 and index_of(identifiers, whole) is not None:
        return mentions
    if not listing:
        return [m for m in mentions if _is_label(text[m.start : m.end], text, m.start, identifiers)]
    found: list[Mention] = []
    for run in chains(text, tuple(mentions)):
        gaps = [text[a.end : b.start] for a, b in pairwise(run)]
        arrows = bool(gaps) and all(">" in gap for gap in gaps)
        commas = bool(gaps) and all(_LISTING.search(gap) for gap in gaps)
        alone = bool(gaps) and text[run[0].start : run[-1].end] == whole
        # in an "a > b" list any case will do
        spelled = all(_is_label(text[m.start : m.end], text, m.start, identifiers) for m in run)
        if arrows or (spelled and (commas or alone)):
            found += run
    return found


def _is_label(token: str, text: str, at: int, identifiers: Identifiers) -> bool:
    """Whether ``token`` in running text is meant as a label: a single letter must have the alphabet's own case and be
    neither article nor pronoun (``A good choice``, ``I think``; but ``A is better``)."""
    if len(token) > 1:
        return True
    if token not in (LETTERS if identifiers == "letters" else identifiers):
        return False
    return re.match(r"[AI] (?!is\b|wins\b|beats\b)[a-z]", text[at : at + 8]) is None
