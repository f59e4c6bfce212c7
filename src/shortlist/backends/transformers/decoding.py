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
from .local import Loaded
from .texts import Texts

_ANCHOR = 8  # tokens of the prompt that are decoded along, so that a leading blank survives


@dataclass
class Written:
    """The answer to one request while it is being written."""

    texts: Texts
    before: Sequence[int]
    limit: int
    stop: tuple[str, ...]
    ends: frozenset[int]
    temperature: float = 0.0
    seed: str = ""
    tokens: list[int] = field(default_factory=list)
    finished: bool = False
    done: bool = False
    _chance: random.Random | None = None

    def __post_init__(self) -> None:
        self.done = self.limit <= 0
        self._chance = random.Random(self.seed) if self.temperature > 0 else None

    def choose(self, logprobs: Any) -> int:
        """The next token from log-probabilities (vocabulary,): the likeliest, or drawn at the temperature."""
        if self._chance is None:
            return int(logprobs.argmax())
        shares = (logprobs.double() / self.temperature).softmax(-1).cumsum(-1).cpu()
        drawn = self._chance.random() * float(shares[-1])
        return min(int((shares <= drawn).sum()), len(shares) - 1)

    def add(self, token: int) -> None:
        """Take a chosen token; sets ``done``, and ``finished`` unless the limit was the reason."""
        if token in self.ends:
            self.done = self.finished = True
            return
        self.tokens.append(token)
        if self.stop and self._stopped_at() is not None:
            self.done = self.finished = True
        elif len(self.tokens) >= self.limit:
            self.done = True

    @property
    def text(self) -> str:
        """What was written, without end token and stop string."""
        text = self._decoded(self.tokens)
        cut = self._stopped_at()
        return text if cut is None else text[:cut]

    def _stopped_at(self) -> int | None:
        if not self.stop:
            return None
        text = self._decoded(self.tokens)
        found = [at for at in (text.find(stop) for stop in self.stop) if at >= 0]
        return min(found, default=None)

    def _decoded(self, tokens: Sequence[int]) -> str:
        anchor = list(self.before[-_ANCHOR:])
        base, whole = self.texts.decode(anchor), self.texts.decode([*anchor, *tokens])
        return whole[len(base) :] if whole.startswith(base) else self.texts.decode(tokens)


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
