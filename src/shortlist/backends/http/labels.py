"""Log-probabilities of labels out of the few likeliest tokens that a service shows (``top_logprobs``).

Services show at most 20 tokens per position (the legacy completions route of OpenAI 5), so a label may be out of
sight: it is left out, never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.exchange import Token

_UNSEEN = -9999.0  # what OpenAI writes for a token outside of its list
_EDGES = " \t\r\n\u2581\u0120\u010a"  # also the marks that SentencePiece and byte-level BPE use for space and line end


@dataclass(frozen=True)
class Position:
    """One generated token, its log-probability where it was stated, and the likeliest tokens in its place."""

    token: str
    shown: tuple[tuple[str, float], ...]
    logprob: float | None = None


def label_logprobs(shown: Iterable[tuple[str, float]], labels: Sequence[str]) -> dict[str, float]:
    """The largest log-probability among the tokens that are a label but for white space around it.

    >>> label_logprobs([(" A", -0.5), ("A", -2.0), ("B.", -1.0)], ["A", "B"])
    {'A': -0.5}
    """
    wanted = {label.strip(_EDGES): label for label in labels}
    found: dict[str, float] = {}
    for token, value in shown:
        label = wanted.get(token.strip(_EDGES))
        if label is not None and math.isfinite(value) and value > _UNSEEN:
            found[label] = max(value, found.get(label, -math.inf))
    return found


def after(positions: Sequence[Position], prefix: str) -> Position | None:
    """The first position that stands behind ``prefix`` (white space apart) and is not white space itself."""
    said = ""
    for number, position in enumerate(positions):
        blank = not position.token.strip(_EDGES) and number + 1 < len(positions)
        if said.strip() == prefix.strip() and not blank:
            return position
        said += position.token
    return None


def spoken(positions: Sequence[Position] | None) -> tuple[Token, ...]:
    """The generated tokens; none when the server left out the log-probability of any.

    >>> spoken([Position("7", (), -0.5)])
    (Token(text='7', logprob=-0.5),)
    """
    known = [(p.token, p.logprob) for p in positions or ()]
    if any(value is None or not math.isfinite(value) for _, value in known):
        return ()
    return tuple(Token(text, value) for text, value in known if value is not None)


def chat_positions(logprobs: Any) -> list[Position] | None:
    """The positions of a chat completion's ``logprobs``; None when there are none."""
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(content, list):
        return None
    positions = []
    for entry in content:
        if isinstance(entry, Mapping):
            top = entry.get("top_logprobs")
            listed = [entry, *top] if isinstance(top, list) else [entry]
            pairs = [(e.get("token"), e.get("logprob")) for e in listed if isinstance(e, Mapping)]
            positions.append(Position(str(entry.get("token") or ""), _pairs(pairs), _number(entry.get("logprob"))))
    return positions


def completion_positions(logprobs: Any) -> list[Position] | None:
    """The positions of a (legacy) completion's ``logprobs``; None when there are none."""
    if not isinstance(logprobs, Mapping) or not isinstance(logprobs.get("tokens"), list):
        return None
    tokens = logprobs["tokens"]
    own, top = _listed(logprobs.get("token_logprobs"), len(tokens)), _listed(logprobs.get("top_logprobs"), len(tokens))
    return [
        Position(
            str(token), _pairs([(token, value), *(shown.items() if isinstance(shown, Mapping) else ())]), _number(value)
        )
        for token, value, shown in zip(tokens, own, top, strict=True)
    ]


def _pairs(found: Iterable[tuple[Any, Any]]) -> tuple[tuple[str, float], ...]:
    known = ((token, _number(value)) for token, value in found if isinstance(token, str))
    return tuple((token, value) for token, value in known if value is not None)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _listed(values: Any, n: int) -> list[Any]:
    listed = values if isinstance(values, list) else []
    return (listed + [None] * n)[:n]
