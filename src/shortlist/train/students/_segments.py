"""Texts that an encoder reads one by one and a decoder together (fusion-in-decoder): their tokens and their states."""

from __future__ import annotations

from typing import Any

from ...backends.transformers.texts import Piece, Texts
from ._base import laid_out


def segment(texts: Texts, text: str, limit: int, marks: str = "") -> list[int]:
    """The tokens of one text as the backend has them: ``marks`` first, cut at its end to ``limit`` with its end token.

    marks: control tokens.
    """
    before, after = texts.around
    inner = texts.encode([Piece(marks), Piece(text, plain=True)])
    return [*before, *inner[: limit - len(before) - len(after)], *after]


def side_by_side(states: Any, mask: Any, places: Any) -> tuple[Any, Any]:
    """States of all texts as the decoder sees those of each list, and what of them is real.

    states: (texts, tokens, dim). places: (list, document) of each text. Returns (lists, documents x tokens, dim) and
    the mask; padding stays where it is, since a T5's cross-attention has no positions.
    """
    shape = (int(places[:, 0].max()) + 1, int(places[:, 1].max()) + 1)
    return laid_out(states, places, shape).flatten(1, 2), laid_out(mask, places, shape).flatten(1, 2)
