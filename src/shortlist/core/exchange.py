"""What goes to a language model and what comes back: requests, completions, and what a readout made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .types import ONE_CALL, Candidate, Query, Repair, Scores, Usage


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Segments:
    """Texts that an encoder-decoder reads one by one and its decoder all together (fusion-in-decoder)."""

    texts: tuple[str, ...]


Asked = str | tuple[Message, ...] | Segments
"""A raw prompt, chat turns, or texts to be encoded one by one."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The raw prompt, or the last turn of a chat, taken apart: for what must know where each passage stands.

    It reads ``head``, the passages with ``between`` between them, ``behind``, and one of the ``tails``.
    """

    head: str
    passages: tuple[str, ...]
    tails: tuple[str, ...]
    between: str = ""
    behind: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A generated token: its text and its log-probability (natural) where it stands."""

    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Request:
    """What is put to a language model: a raw prompt, chat turns or segments, and what is wanted back.

    labels: strings whose next-token log-probabilities are wanted; empty means generated text. prefill: text that the
    answer must begin with. stop: strings that end generated text, which is returned without them. logprobs: the
    log-probability of every generated token is wanted too (``Completion.tokens``). thought, closing: what a model has
    written behind the prefill already, in which nothing is a control token, and what ends it. attempt: 0 first, then
    1, 2 ... for retries (part of cache keys). group: what the prompt was rendered from. answer: writes what a model
    with given scores would say. Models ignore both; fakes answer by them. repairs: what the prompt had to mend, such
    as a passage that was cut; they end up on the Call. parts: the prompt once more, taken apart, from templates whose
    end comes in several wordings; the prompt has the first.
    """

    prompt: Asked
    labels: tuple[str, ...] = ()
    prefill: str = ""
    max_tokens: int = 256
    attempt: int = 0
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    thought: str = ""
    closing: str = ""
    group: tuple[Query, tuple[Candidate, ...]] | None = field(default=None, compare=False)
    answer: Callable[[Scores], Completion] | None = field(default=None, compare=False, repr=False)
    repairs: tuple[Repair, ...] = field(default=(), compare=False)
    parts: Parts | None = field(default=None, compare=False)

    @property
    def begin(self) -> str:
        """What the answer begins with: prefill, thought and closing."""
        return f"{self.prefill}{self.thought}{self.closing}"

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of the prompt: itself, the contents of its turns, or its segments."""
        if isinstance(self.prompt, str):
            return (self.prompt,)
        return self.prompt.texts if isinstance(self.prompt, Segments) else tuple(m.content for m in self.prompt)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a language model gave back.

    text: generated text, with the request's prefill in front. labels: log-probability (or logit) per requested label;
    one that the backend could not see is absent. finished: False when the length limit cut the text. repairs: what the
    backend had to mend (``request_retried`` ...). reasoning: thoughts that a server keeps apart from the text. tokens:
    what was generated behind the prefill, for requests with ``logprobs``; empty when the backend could not say.
    """

    text: str = ""
    labels: Mapping[str, float] | None = None
    finished: bool = True
    usage: Usage = ONE_CALL
    repairs: tuple[Repair, ...] = ()
    reasoning: str = ""
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How probable a continuation is: ``value`` is the sum of the log-probabilities (natural, at most 0) of its
    ``tokens`` tokens; the end-of-sequence token counts when it was asked for."""

    value: float
    tokens: int
    usage: Usage = ONE_CALL

    @property
    def mean(self) -> float:
        """Per token; 0.0 for an empty continuation."""
        return self.value / self.tokens if self.tokens else 0.0


@dataclass(frozen=True, slots=True)
class AttentionMass:
    """How much the tails of a prompt look at its passages.

    mass: per tail and passage an array with one number per token of the passage: attention summed over layers and
    heads, and averaged over the tokens of the tail.
    """

    mass: tuple[tuple[Any, ...], ...]
    usage: Usage = ONE_CALL


@dataclass(frozen=True, slots=True)
class Reading:
    """What a readout understood: one score per document (finite or ``MISSING``) and what it had to mend.

    valid: False when nothing usable was said, so that the order below is only the order that was there before. usage:
    what a backend spent that gives readings itself (GROUP_SCORES); elsewhere the completion says it.
    """

    scores: Scores
    repairs: tuple[Repair, ...] = ()
    valid: bool = True
    usage: Usage = field(default=ONE_CALL, repr=False)


@dataclass(frozen=True, slots=True)
class Attended:
    """How much a decoder looked at each text of ``Segments`` while it wrote its answer.

    masses: one per text, at least 0: summed over the decoder's layers, its steps and the tokens of the text that were
    asked about, the mean over heads of attention times the length of the value vector that it takes. layers: how many
    were summed. completion: the answer itself, with what was spent and mended.
    """

    masses: tuple[float, ...]
    layers: int
    completion: Completion


@dataclass(frozen=True, slots=True)
class Views:
    """Several vectors per text, and for each of these views one vector for the list of texts.

    texts: an array (n, views, dim). anchors: an array (views, dim), what a decoder made of that view of all texts.
    """

    texts: Any = field(compare=False)
    anchors: Any = field(compare=False)
    usage: Usage = ONE_CALL
    repairs: tuple[Repair, ...] = ()
