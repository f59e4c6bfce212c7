"""How long to wait before the next attempt, and when to give up.

The server's own wish (``Retry-After``: seconds or an HTTP date, RFC 9110 section 10.2.3; ``retry-after-ms``) comes
before the exponential one. The jitter is drawn from the seed, the request and the attempt, so a repeated run waits
the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Protocol

from ...core.errors import ConfigError


class Clock(Protocol):
    """Where time comes from; tests give one that does not wait."""

    def now(self) -> float:
        """Seconds since 1970, to compare with dates that a server sends."""
        ...

    def tick(self) -> float:
        """Seconds that never go backwards, to measure with."""
        ...

    async def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class SystemClock:
    """The machine's time."""

    def now(self) -> float:
        return time.time()

    def tick(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True)
class Patience:
    """Waiting between attempts, and the circuit breaker. All times in seconds.

    first_wait: before the second attempt; doubled for each further one, at most longest_wait, times a factor between
    1/2 and 1 that follows from ``seed``. longest_retry_after: a server that asks for a longer wait is given up at once.
    open_after: failures in a row over all requests (no connection, time-outs, 5xx but 503 and 529, unreadable answers)
    after which nothing is sent any more for cool_down seconds; then one request tries. Requests wait for that when the
    endpoint has answered before (``max_outage`` says how long); else they are given up at once.
    """

    first_wait: float = 0.5
    longest_wait: float = 20.0
    longest_retry_after: float = 120.0
    open_after: int = 20  # at 30 % independent failures, 20 in a row come once in 3e10 requests
    cool_down: float = 30.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("first_wait", "longest_wait", "longest_retry_after", "cool_down"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise ConfigError(f"{name}={value}: expected seconds, 0 or more")
        if self.open_after < 1:
            raise ConfigError(f"open_after={self.open_after}: expected 1 or more failures in a row")

    def wait(self, attempt: int, request: bytes, asked: float | None) -> float:
        """Seconds before the attempt after ``attempt`` (1 is the first). asked: by the server; never less than that."""
        digest = hashlib.sha256(b"%d|%d|%s" % (self.seed, attempt, request)).digest()
        jitter = random.Random(int.from_bytes(digest[:8], "big")).uniform(0.5, 1.0)
        if asked is not None:
            return asked + self.first_wait * jitter  # clients that were told the same moment do not all come at it
        return float(min(self.longest_wait, self.first_wait * 2.0 ** min(attempt - 1, 60)) * jitter)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the server asks to wait; None when it does not say, or says something unreadable.

    >>> retry_after({"retry-after": "7"}, 0.0)
    7.0
    >>> retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 50.0)
    10.0
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now)
    except (ValueError, OverflowError, OSError):
        return None
