"""Requests with their own sampling, and answers that show the likeliest tokens of every place: what a server needs.

Plain requests are answered by the backend's parameters; these carry their own, so that requests of different users
share a batch. ``CausalLM`` and ``Seq2SeqLM`` take both kinds.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...core.exchange import Completion, Request, Token


@dataclass(frozen=True, slots=True)
class Sampled(Request):
    """A request for text. temperature, seed: None is the backend's. top: with ``logprobs``, how many of the likeliest
    tokens are shown for each place; the answer is ``Shown``."""

    temperature: float | None = None
    seed: int | None = None
    top: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A token that was written, and the likeliest tokens that could have stood there, best first."""

    token: Token
    top: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown(Completion):
    """A completion with its places; where the model ended by itself, the end token is the last."""

    places: tuple[Place, ...] = ()
