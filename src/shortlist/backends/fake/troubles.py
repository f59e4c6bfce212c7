"""What a scripted endpoint does wrong, and when: drawn from a seed, the request and how often it was seen."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Literal

from ...core.errors import ConfigError

Kind = Literal[
    "rate_limit", "error", "unavailable", "time_out", "drop", "half_json", "wrong_type",
    "refuse", "truncate", "duplicate",
]  # fmt: skip
TRANSPORT: tuple[Kind, ...] = ("rate_limit", "error", "unavailable", "time_out", "drop", "half_json", "wrong_type")
"""Troubles that a client can see and so retries."""
CONTENT: tuple[Kind, ...] = ("refuse", "truncate", "duplicate")
"""Sound answers with a bad text (or, from a rerank route, a bad list): only a readout can see them."""


@dataclass(frozen=True)
class Troubles:
    """A share of ``rate`` answers goes wrong in one of ``kinds``.

    rate_limit: 429 with ``Retry-After: retry_after``. error, unavailable: 500, 503. time_out: silence for ``stall``
    seconds, then the connection ends. drop: the connection ends in the middle of the body. half_json: half of the body,
    as if it were whole. wrong_type: an HTML page with status 200. refuse: "I cannot help". truncate: half of the text,
    ``finish_reason`` "length" (of a list: half of the results). duplicate: the text, or every result, twice.

    The draw depends on the seed, the request's bytes and how often these bytes came, not on time or order, so two runs
    over a fresh endpoint meet the same troubles.
    """

    rate: float = 0.0
    kinds: tuple[Kind, ...] = TRANSPORT + CONTENT
    seed: int = 0
    retry_after: int = 1
    stall: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1 or not self.kinds:
            raise ConfigError(f"rate={self.rate}, {len(self.kinds)} kinds: expected a rate in [0, 1] and some kinds")

    def draw(self, request: bytes, seen: int) -> Kind | None:
        """What goes wrong with the answer to ``request``, which came ``seen`` times before."""
        digest = hashlib.sha256(b"%d|%d|%s" % (self.seed, seen, request)).digest()
        rng = random.Random(int.from_bytes(digest[:8], "big"))
        return rng.choice(self.kinds) if rng.random() < self.rate else None
