"""Choosing tokens one after the other, and ending: by the model's end token, a stop string or the length limit.

Sampling draws from a generator of its own per request, seeded by what is asked, so that a request's answer does not
depend on its neighbours in a batch. It does not know models: it is given log-probabilities of the next token.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import BackendError
from ...core.exchange import Completion, Request, Token
from ...core.params import digest
from ...core.types import Usage
from .local import Loaded
from .sampled import Place, Sampled, Shown
from .texts import Texts

_ANCHOR = 8  # tokens of the prompt that are decoded along, so that a leading blank survives
_BROKEN = "\ufffd"  # what the first bytes of a character decode to while the others are still to come


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen and what ends an answer, as a backend's parameters say."""

    stop: tuple[str, ...]
    temperature: float
    seed: int
    retry_temperature: float | None

    def begin(
        self, texts: Texts, ends: frozenset[int], request: Request, before: Sequence[int], limit: int, name: Any
    ) -> Written:
        """The empty answer to a request. before: tokens that it stands behind. name: what is asked, for the seed."""
        temperature = self.temperature
        if request.attempt and self.retry_temperature is not None:
            temperature = max(temperature, self.retry_temperature)
        chosen, top = self.seed, None
        if isinstance(request, Sampled):
            temperature = temperature if request.temperature is None else request.temperature
            chosen = chosen if request.seed is None else request.seed
            top = request.top if request.logprobs else None
        seed = f"{chosen}-{request.attempt}-{digest(name)}"
        stop = tuple(dict.fromkeys((*self.stop, *request.stop)))
        return Written(texts, before, limit, stop, ends, temperature, seed, wanted=request.logprobs, top=top)


@dataclass
class Written:
    """The answer to one request while it is being written. wanted: log-probabilities are kept too; top: and so many of
    the likeliest tokens of each place."""

    texts: Texts
    before: Sequence[int]
    limit: int
    stop: tuple[str, ...]
    ends: frozenset[int]
    temperature: float = 0.0
    seed: str = ""
    wanted: bool = False
    top: int | None = None
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    places: list[tuple[int, float, list[tuple[int, float]]]] = field(default_factory=list)
    finished: bool = False
    done: bool = False
    ended: bool = False
    _chance: random.Random | None = None

    def __post_init__(self) -> None:
        self.done = self.limit <= 0
        self._chance = random.Random(self.seed) if self.temperature > 0 else None

    def take(self, logprobs: Any) -> int:
        """Choose and add the next token from log-probabilities (vocabulary,)."""
        token = self.choose(logprobs)
        if self.top is not None:
            best = logprobs.topk(min(self.top, len(logprobs)))
            likeliest = list(zip(best.indices.tolist(), best.values.tolist(), strict=True))
            self.places.append((token, float(logprobs[token]), likeliest))
        self.add(token, float(logprobs[token]) if self.wanted else 0.0)
        return token

    def choose(self, logprobs: Any) -> int:
        """The next token from log-probabilities (vocabulary,): the likeliest, or drawn at the temperature."""
        if self._chance is None:
            return int(logprobs.argmax())
        shares = (logprobs.double() / self.temperature).softmax(-1).cumsum(-1).cpu()
        drawn = self._chance.random() * float(shares[-1])
        return min(int((shares <= drawn).sum()), len(shares) - 1)

    def add(self, token: int, logprob: float = 0.0) -> None:
        """Take a chosen token; sets ``done``, and ``finished`` unless the limit was the reason."""
        if token in self.ends:
            self.done = self.finished = self.ended = True
            return
        self.tokens.append(token)
        self.logprobs.append(logprob)
        if self._stops():
            self.done = self.finished = True
        elif len(self.tokens) >= self.limit:
            self.done = True

    @property
    def spent(self) -> int:
        """Tokens that the model gave, the end token included."""
        return len(self.tokens) + self.ended

    @property
    def text(self) -> str:
        """What was written, without end token and stop string."""
        text = self._decoded(self.tokens)
        cut = self._stopped_at(text)
        return text if cut is None else text[:cut]

    def completion(self, request: Request, usage: Usage) -> Completion:
        """The answer as it goes back: the prefill and the text; every token but the end token, if asked for."""
        tokens = self._spoken() if self.wanted else ()
        text = request.begin + self.text
        if self.top is None:
            return Completion(text, None, self.finished, usage, tokens=tokens)
        return Shown(text, None, self.finished, usage, tokens=tokens, places=self._shown(tokens))

    def _stops(self) -> bool:
        """Whether the last token completed a stop string; only as many tokens are decoded as one can have."""
        if not self.stop:
            return False
        longest = max(len(stop.encode("utf-8", "replace")) for stop in self.stop)
        near = [*self.before[-_ANCHOR:], *self.tokens][-longest - _ANCHOR :]
        if self._stopped_at(self.texts.decode(near)) is None:
            return False
        return self._stopped_at(self._decoded(self.tokens)) is not None

    def _stopped_at(self, text: str) -> int | None:
        found = [at for at in (text.find(stop) for stop in self.stop) if at >= 0]
        return min(found, default=None)

    def _decoded(self, tokens: Sequence[int]) -> str:
        anchor = list(self.before[-_ANCHOR:])
        base, whole = self.texts.decode(anchor), self.texts.decode([*anchor, *tokens])
        return whole[len(base) :] if whole.startswith(base) else self.texts.decode(tokens)

    def _shown(self, tokens: Sequence[Token]) -> tuple[Place, ...]:
        """The places with the texts that tokens have where they stand; a control token has its own name."""
        found = []
        for number, (token, logprob, likeliest) in enumerate(self.places):
            anchor = [*self.before[-_ANCHOR:], *self.tokens[:number]][-_ANCHOR:]
            top = tuple(Token(self._named(anchor, other), value) for other, value in likeliest)
            said = tokens[number].text if number < len(tokens) else self._named(anchor, token)
            found.append(Place(Token(said, logprob), top))
        return tuple(found)

    def _named(self, anchor: list[int], token: int) -> str:
        base, whole = self.texts.decode(anchor), self.texts.decode([*anchor, token])
        text = whole[len(base) :] if whole.startswith(base) else self.texts.decode([token])
        return text or str(self.texts.tokenizer.convert_ids_to_tokens(token))

    def _spoken(self) -> tuple[Token, ...]:
        """The tokens with their texts, which add up to the text of all; a character that took several tokens stands
        with the last of them. A few tokens before each are decoded along, not all."""
        ids = [*self.before[-_ANCHOR:], *self.tokens]
        first = len(ids) - len(self.tokens)
        begin, shown, said = 0, first, []
        for end in range(first + 1, len(ids) + 1):
            before, now = self.texts.decode(ids[begin:shown]), self.texts.decode(ids[begin:end])
            text = now[len(before) :] if now.startswith(before) else ""
            if text.endswith(_BROKEN) and end < len(ids):
                text = ""
            if text:
                begin, shown = max(0, shown - _ANCHOR), end
            said.append(text)
        return tuple(Token(text, logprob) for text, logprob in zip(said, self.logprobs, strict=True))


def end_tokens(loaded: Loaded) -> frozenset[int]:
    """Tokens that end an answer: the generation configuration's and the tokenizer's."""
    configured = getattr(loaded.model.generation_config, "eos_token_id", None)
    listed = configured if isinstance(configured, (list, tuple)) else [configured]
    return frozenset(int(i) for i in (*listed, loaded.tokenizer.eos_token_id) if i is not None)


def log_probabilities(loaded: Loaded, logits: Any) -> Any:
    """float32 log-probabilities over the vocabulary. Raises BackendError for NaN."""
    logits = logits.float()
    if bool(loaded.torch.isnan(logits).any()):
        kind = str(loaded.model.dtype).removeprefix("torch.")
        raise BackendError(f"the model returned NaN in {kind}; load it with dtype='bfloat16' or 'float32'")
    return loaded.torch.log_softmax(logits, -1)


def total_log_probability(loaded: Loaded, logits: Any, tokens: Sequence[int]) -> float:
    """The sum of the log-probabilities of ``tokens`` where they stand; logits: (len(tokens), vocabulary)."""
    logprobs = log_probabilities(loaded, logits)
    targets = loaded.torch.tensor(tokens, device=logprobs.device)
    return float(logprobs.gather(-1, targets[:, None]).double().sum())
