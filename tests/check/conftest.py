"""Two honest backends without weights: their numbers follow from what they read, all of it and nothing else."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from shortlist.core.errors import ConfigError, InputError
from shortlist.core.exchange import (
    Attended,
    AttentionMass,
    Completion,
    Likelihood,
    Reading,
    Request,
    Token,
    Views,
)
from shortlist.core.protocols import Capability
from shortlist.core.types import Scale, Usage

LETTERS = "abcdefgh AB\n"
END = "\x03"


def numbers(text: str, count: int) -> Any:
    """So many numbers between -2 and 2 that follow from the text."""
    seed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(seed[:8], "big")).uniform(-2, 2, count)


@dataclass
class Letters:
    """A language model of a dozen letters: the next one follows from everything before it. A letter is a token."""

    context: int | None = 5000
    digest: str = "letters"
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def capabilities(self) -> frozenset[Capability]:
        text = {Capability.GENERATE, Capability.LABEL_LOGITS, Capability.TOKEN_LOGPROBS}
        return frozenset({*text, Capability.NLL})

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [self.label(r) if r.labels else self.write(r) for r in requests]

    def nll(self, asked: Sequence[tuple[Request, str]], *, eos: bool = False) -> list[Likelihood]:
        found = []
        for request, text in asked:
            prompt, value = self.read(request), 0.0
            for letter in (*text, *([END] if eos else [])):
                value += self.shares(prompt).get(letter, -9.0)
                prompt += letter
            found.append(Likelihood(value, len(text) + eos, self.usage(request)))
        return found

    def read(self, request: Request) -> str:
        text = "\n".join(request.texts)
        if self.context is not None and len(text) > self.context:
            raise InputError(f"{len(text)} letters, the window is {self.context}")
        return f"{text}>{request.prefill}"

    def shares(self, prompt: str) -> dict[str, float]:
        found = numbers(prompt, len(LETTERS) + 1)
        found[-1] -= 2.0  # answers are to have some length
        return dict(zip([*LETTERS, END], (found - np.log(np.exp(found).sum())).tolist(), strict=True))

    def label(self, request: Request) -> Completion:
        shares = self.shares(self.read(request))
        if any(label not in shares for label in request.labels):
            raise ConfigError(f"labels {request.labels} are not one letter each")
        return Completion(labels={label: shares[label] for label in request.labels}, usage=self.usage(request))

    def write(self, request: Request) -> Completion:
        prompt, tokens, text = self.read(request), [], ""
        while len(tokens) < request.max_tokens:
            shares = self.shares(prompt + text)
            letter = max(shares, key=lambda name: shares[name])
            if letter == END:
                break
            tokens.append(Token(letter, shares[letter]))
            text += letter
            if any(stop in text for stop in request.stop):
                break
        finished = len(tokens) < request.max_tokens or any(stop in text for stop in request.stop)
        shown = min((text.find(stop) for stop in request.stop if stop in text), default=len(text))
        said = tuple(tokens) if request.logprobs else ()
        return Completion(request.prefill + text[:shown], None, finished, self.usage(request, len(tokens)), tokens=said)

    def usage(self, request: Request, written: int = 0) -> Usage:
        return Usage(1, len("".join(request.texts)), written)


@dataclass
class Words:
    """An encoder: numbers that follow from the first ``window`` words; what it does not read it counts."""

    window: int | None = 150
    digest: str = "words"
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.PAIR_SCORES, Capability.EMBED, Capability.TOKEN_STATES})

    @property
    def scale(self) -> Scale:
        return Scale.LOGIT

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [float(numbers(f"{query}|{self.read(text)}", 1)[0]) for query, text in pairs]

    def embed(self, texts: Sequence[str], *, kind: str) -> Any:
        rows = np.array([numbers(self.read(text), 8) for text in texts]).reshape(len(texts), 8)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def token_states(self, texts: Sequence[str], *, kind: str) -> list[Any]:
        read = [self.read(text) for text in texts]
        return [numbers(text, 4 * (1 + len(text.split()))).reshape(-1, 4).astype(np.float32) for text in read]

    def read(self, text: str) -> str:
        words = text.split(" ")
        if self.window is not None and len(words) > self.window:
            self.counts["cut"] += 1
        return " ".join(words[: self.window])


@dataclass
class Lists:
    """Reads lists together: vectors of prompts, scores of groups, attention, views; all follow from all it reads."""

    digest: str = "lists"

    @property
    def capabilities(self) -> frozenset[Capability]:
        looks = {Capability.ATTENTION_ROWS, Capability.CROSS_ATTENTION, Capability.VIEWS}
        return frozenset({Capability.EMBED_PROMPTS, Capability.GROUP_SCORES, *looks})

    def embed_prompts(self, requests: Sequence[Request]) -> Any:
        rows = np.array([numbers("|".join(r.texts), 8) for r in requests]).reshape(len(requests), 8)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def group_scores(self, groups: Sequence[tuple[str, Sequence[str]]]) -> list[Reading]:
        return [Reading(tuple(numbers("|".join((q, *texts)), len(texts)).tolist())) for q, texts in groups]

    def attention(self, requests: Sequence[Request], *, rows: str = "mean") -> list[AttentionMass]:
        found = []
        for request in requests:
            assert request.parts is not None
            texts = request.parts.passages
            seen = [
                [numbers(tail + "|".join(texts) + t, 1 + len(t)) ** 2 for t in texts] for tail in request.parts.tails
            ]
            found.append(AttentionMass(tuple(tuple(masses) for masses in seen)))
        return found

    def cross_attention(self, asked: Sequence[tuple[Request, str]]) -> list[Attended]:
        made = [numbers(lead + "|".join(r.texts), len(r.texts)) ** 2 for r, lead in asked]
        return [Attended(tuple(masses.tolist()), 2, Completion("so")) for masses in made]

    def views(self, requests: Sequence[Request], tokens: tuple[str, ...]) -> list[Views]:
        found = []
        for request in requests:
            size, whole = len(tokens), "|".join(request.texts)
            texts = np.stack([numbers(text, size * 3).reshape(size, 3) for text in request.texts])
            found.append(Views(texts, numbers(whole, size * 3).reshape(size, 3)))
        return found


@pytest.fixture
def lists() -> type[Lists]:
    return Lists


@pytest.fixture
def letters() -> type[Letters]:
    return Letters


@pytest.fixture
def words() -> type[Words]:
    return Words
