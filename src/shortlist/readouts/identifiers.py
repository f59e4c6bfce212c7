"""How documents are called in a prompt: numbers, letters or a custom alphabet.

This module does not know texts: what a mention looks like in an answer is in ``mentions``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from ..core.errors import ConfigError
from .text import normalise

Identifiers = Literal["numbers", "letters"] | tuple[str, ...]
"""``numbers``: 1, 2, 3 ...; ``letters``: A to Z; or the identifiers themselves, in presentation order."""
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def check(identifiers: Identifiers) -> None:
    """Raises ConfigError for an alphabet in which two identifiers read alike or one cannot be read at all."""
    if isinstance(identifiers, str):
        if identifiers not in ("numbers", "letters"):
            raise ConfigError(
                f"identifiers={identifiers!r}; expected 'numbers', 'letters' or a tuple of identifiers like ('A', 'B')"
            )
        return
    folded = [fold(label) for label in identifiers]
    if not folded or len(set(folded)) != len(folded):
        raise ConfigError(f"identifiers={identifiers!r} must be distinct (ignoring case) and not empty")
    bad = [label for label, f in zip(identifiers, folded, strict=True) if not f or re.search(r"[\[\],;>\s]", f)]
    if bad:
        raise ConfigError(f"identifiers {bad} cannot be told from a list; use no blanks, commas, brackets or '>'")


def limit(identifiers: Identifiers) -> int | None:
    """How many documents can be named; None when there is no limit."""
    if identifiers == "numbers":
        return None
    return len(LETTERS) if identifiers == "letters" else len(identifiers)


def labels(identifiers: Identifiers, n: int) -> tuple[str, ...]:
    """The identifiers of a group of ``n`` in presentation order, as many as there are.

    >>> labels("letters", 3), labels("numbers", 2)
    (('A', 'B', 'C'), ('1', '2'))
    """
    if identifiers == "numbers":
        return tuple(str(i + 1) for i in range(n))
    return LETTERS[:n] if identifiers == "letters" else identifiers[:n]


def fold(label: str) -> str:
    """The spelling under which two identifiers are the same."""
    return normalise(label).strip().casefold()


def index_of(identifiers: Identifiers, token: str) -> int | None:
    """The position that ``token`` names, inside any group or not; None when it is no identifier.

    >>> index_of("numbers", "3"), index_of("numbers", "0"), index_of("letters", "b"), index_of("letters", "3")
    (2, -1, 1, None)
    """
    if identifiers == "numbers":
        sign, digits = token[:1] == "-", token.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal()):
            return None
        # int() refuses more than 4300 digits, and no group is that large
        value = int(digits) if len(digits) < 10 else int(digits.lstrip("0") or "0") if len(digits) < 100 else 10**100
        return (-value if sign else value) - 1
    return _alphabet(identifiers).get(token.casefold())


@lru_cache(maxsize=64)
def _alphabet(identifiers: Identifiers) -> dict[str, int]:
    names = LETTERS if identifiers == "letters" else identifiers
    return {fold(label): i for i, label in enumerate(names)}
