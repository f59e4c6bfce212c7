"""What goes to a language model and what comes back: requests, completions, and what a readout made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .types import ONE_CALL, Candidate, Query, Repair, Scores, Usage


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """What is put to a language model: a raw prompt or chat turns, and what is wanted back.

    labels: strings whose next-token log-probabilities are wanted; empty means generated text. prefill: text that the
    answer must begin with. attempt: 0 first, then 1, 2 ... for retries (part of cache keys). group: what the prompt
    was rendered from. answer: writes what a model with given scores would say. Models ignore both; fakes answer by
    them. repairs: what the prompt had to mend, such as a passage that was cut; they end up on the Call.
    """

    prompt: str | tuple[Message, ...]
    labels: tuple[str, ...] = ()
    prefill: str = ""
    max_tokens: int = 256
    attempt: int = 0
    group: tuple[Query, tuple[Candidate, ...]] | None = field(default=None, compare=False)
    answer: Callable[[Scores], Completion] | None = field(default=None, compare=False, repr=False)
    repairs: tuple[Repair, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a language model gave back.

    text: generated text, with the request's prefill in front. labels: log-probability (or logit) per requested label;
    one that the backend could not see is absent. finished: False when the length limit cut the text. repairs: what the
    backend had to mend (``request_retried`` ...). reasoning: thoughts that a server keeps apart from the text.
    """

    text: str = ""
    labels: Mapping[str, float] | None = None
    finished: bool = True
    usage: Usage = ONE_CALL
    repairs: tuple[Repair, ...] = ()
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a readout understood: one score per document (finite or ``MISSING``) and what it had to mend.

    valid: False when nothing usable was said, so that the order below is only the order that was there before.
    """

    scores: Scores
    repairs: tuple[Repair, ...] = ()
    valid: bool = True
