"""How a prompt calls its passages, and how look-alikes inside passages and queries are made harmless.

The readouts read the same alphabets; they are a layer of their own, so the few lines are written twice and a test
holds them together.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from ..core.errors import InputError

Identifiers = Literal["numbers", "letters", "none"] | tuple[str, ...]
"""``numbers``: 1, 2, 3 ...; ``letters``: A to Z; the identifiers themselves; or ``none``."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BRACKETED = re.compile(r"\[([^\[\]\n]{1,40})\]")


def limit(identifiers: Identifiers) -> int | None:
    """How many passages can be named; None when there is no limit."""
    if isinstance(identifiers, tuple):
        return len(identifiers)
    return len(LETTERS) if identifiers == "letters" else None


def identifiers_of(identifiers: Identifiers, n: int) -> tuple[str, ...]:
    """The identifiers of ``n`` passages in presentation order; empty strings for ``none``.

    >>> identifiers_of("letters", 3), identifiers_of(("x", "y"), 1)
    (('A', 'B', 'C'), ('x',))
    """
    if identifiers == "none":
        return ("",) * n
    if identifiers == "numbers":
        return tuple(str(i + 1) for i in range(n))
    most = limit(identifiers) or 0
    if n > most:
        raise InputError(f"{n} passages, but the identifiers {identifiers!r} name only {most}; use a smaller window")
    return tuple(LETTERS[:n]) if identifiers == "letters" else identifiers[:n]


def neutralise(text: str, identifiers: Identifiers) -> str:
    """``text`` with bracketed identifiers in round brackets, so that it cannot pass for a label of the prompt.

    Numbers: any bracketed number, also in full-width or other digits. Letters: any bracketed word in ASCII letters,
    as rank_llm rewrites them. Custom: the identifiers themselves, ignoring case.

    >>> neutralise("see [12], [ 3 ] and [a]", "numbers"), neutralise("[B] [12]", "letters")
    ('see (12), ( 3 ) and [a]', '(B) [12]')
    """
    if identifiers == "none" or "[" not in text:
        return text
    return _BRACKETED.sub(lambda match: f"({match[1]})" if _is_one(match[1], identifiers) else match[0], text)


def _is_one(inside: str, identifiers: Identifiers) -> bool:
    token = unicodedata.normalize("NFKC", inside).strip()
    if identifiers == "numbers":
        return token.isdecimal()
    if identifiers == "letters":
        return token.isascii() and token.isalpha()
    return token.casefold() in {name.casefold() for name in identifiers}
