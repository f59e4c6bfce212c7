"""How probable the tokens are that spell one stretch of an answer. Total and linear, as everything here.

Source: ERank (arXiv 2509.00520): a grade counts by the probability with which it was written. A grade of several
tokens ("1", "0") has the product of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..core.exchange import Token
from .text import normalise


def normalised(raw: str) -> tuple[str, list[int]]:
    """``normalise(raw)``, and for each of its characters the position in ``raw`` of the one that it came from.

    >>> normalised("a⑦")
    ('a 7 ', [0, 1, 1, 1])
    """
    if raw.isascii():
        return raw, list(range(len(raw)))
    parts = [normalise(char) for char in raw]
    return "".join(parts), [place for place, part in enumerate(parts) for _ in part]


def probability(tokens: Sequence[Token], start: int, end: int) -> float | None:
    """The product over the tokens that hold the characters ``start:end`` of all their texts joined.

    A token without text holds the first bytes of the character that the next one ends. None when a log-probability is
    no number, or no token holds any of them. At most 1, also where a service rounded above it.

    >>> round(probability([Token("a 1", math.log(0.5)), Token("0", math.log(0.2)), Token(" b", -9.0)], 2, 4), 4)
    0.1
    """
    at, silent, total = 0, 0.0, 0.0
    found = False
    for token in tokens:
        begin, at = at, at + len(token.text)
        if begin == at:
            silent += token.logprob
            continue
        if begin < end and start < at:
            total += silent + token.logprob
            found = True
        silent = 0.0
    return math.exp(min(0.0, total)) if found and not math.isnan(total) else None
