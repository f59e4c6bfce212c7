"""Backends that are wrong in one known way each."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ...core.errors import BackendError, ConfigError
from ...core.exchange import Completion, Request
from ...core.types import Usage
from .oracle import Oracle

PROSE = "Sorry, all 3 passages seem relevant to me: [7] > [7]. Ask again!"
HARD_OUTPUTS = (
    "",
    PROSE,
    "<think>[2] is better than [1], but",
    "[1] > [1] > [999999999999999999999]",
    '{"[1]": NaN, "[2]": "high", ',
    "<answer></answer>",
    "[①] > [②]",
    "\ud800\x00",
)


@dataclass(frozen=True)
class Noisy(Oracle):
    """Adds Gaussian noise of ``sigma`` (in units of relevance) to every judgement.

    The noise depends on seed, query and the documents shown together, not on the order of calls, so a run is
    repeatable.
    """

    sigma: float = 1.0
    seed: int = 0

    def judge(self, query: str, documents: Sequence[str]) -> list[float]:
        rng = random.Random(_hash(self.seed, query, *documents))
        return [score + rng.gauss(0, self.sigma) for score in super().judge(query, documents)]


@dataclass(frozen=True)
class PositionBiased(Oracle):
    """Likes what stands first in a group: ``bias`` relevance is taken off per position."""

    bias: float = 1.0

    def judge(self, query: str, documents: Sequence[str]) -> list[float]:
        return [score - self.bias * position for position, score in enumerate(super().judge(query, documents))]


@dataclass(frozen=True)
class Broken(Oracle):
    """Answers a share of ``rate`` requests with one of ``outputs`` instead of an answer, and without label logits."""

    rate: float = 1.0
    outputs: tuple[str, ...] = (PROSE,)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1 or not self.outputs:
            raise ConfigError(
                f"rate={self.rate}, {len(self.outputs)} outputs: expected a rate in [0, 1] and some outputs"
            )

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [self._maybe(request) for request in requests]

    def _maybe(self, request: Request) -> Completion:
        ids = [c.id for c in request.group[1]] if request.group else []
        rng = random.Random(_hash(self.seed, str(request.prompt), str(request.attempt), *ids))
        if rng.random() >= self.rate:
            return self._answer(request)
        return Completion(rng.choice(self.outputs), {} if request.labels else None, True, Usage(1, 1, 1))


@dataclass(frozen=True)
class Failing(Oracle):
    """Raises BackendError for every query whose text contains ``needle``."""

    needle: str = "fail"

    def judge(self, query: str, documents: Sequence[str]) -> list[float]:
        if self.needle in query:
            raise BackendError(f"the backend failed on purpose for the query {query!r}")
        return super().judge(query, documents)


@dataclass(frozen=True)
class Slow(Oracle):
    """Waits ``seconds`` before each request is answered."""

    seconds: float = 0.01

    def judge(self, query: str, documents: Sequence[str]) -> list[float]:
        time.sleep(self.seconds)
        return super().judge(query, documents)


def _hash(seed: int, *texts: str) -> int:
    joined = "\x1f".join((str(seed), *texts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(joined).digest()[:8], "big")
