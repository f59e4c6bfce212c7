"""The connection to one endpoint: concurrency limit, attempts, circuit breaker, waiting through an outage, counters.

Everything here runs in the background loop. It sends JSON, gets JSON, and knows nothing of what it says.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ...core.types import Repair
from .address import Address, shown
from .breaker import Breaker
from .exchange import Exchange, Limits, parsed
from .patience import Clock, Patience
from .refusals import EndpointError, Trouble

logger = logging.getLogger(__name__)

T = TypeVar("T")
_LOOK_AGAIN = 1.0  # seconds: while another request tries whether the endpoint is back


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What was read, after how many attempts, and seconds from the first attempt to the answer (waits included).

    waited: of these, for an endpoint that was down.
    """

    value: T
    attempts: int
    seconds: float
    waited: float = 0.0

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What stands on the call that was answered."""
        again = (Repair("request_retried", self.attempts - 1),) if self.attempts > 1 else ()
        return (*again, Repair("waited_for_endpoint", detail=f"{self.waited:.0f} s")) if self.waited else again


class Link:
    """One endpoint's connection; opened with the first request, closed by ``close`` or with the last reference."""

    def __init__(self, address: Address, limits: Limits, patience: Patience, clock: Clock) -> None:
        self.address, self.limits, self.patience, self.clock = address, limits, patience, clock
        self.breaker = Breaker(patience.open_after, patience.cool_down)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._gate: asyncio.Semaphore | None = None
        self._exchange = Exchange(address, limits, clock)
        self._last_trouble = self._last_kind = ""
        self._told: float | None = None

    @property
    def counts(self) -> Counter[str]:
        """requests, attempts, answered, failed, refused_by_breaker, waited (for an endpoint that was down),
        ``retried_*`` per kind of trouble."""
        with self._lock:
            return Counter(self._counts)

    @property
    def outage(self) -> str:
        """Why no request is answered any more; empty while some are."""
        silent = self.breaker.state != "closed" or (self.breaker.failures > 0 and self._last_kind == "connect")
        return f"{self.address.shown}: {self._row()}" if silent else ""

    def count(self, name: str, by: int = 1) -> int:
        """Add to a counter; its new value."""
        with self._lock:
            self._counts[name] += by
            return self._counts[name]

    def __reduce__(self) -> tuple[Any, ...]:
        return Link, (self.address, self.limits, self.patience, self.clock)  # a copy opens its own connections

    def close(self) -> None:
        """Close the connections and wait for it; the next request opens new ones. Not for the background loop."""
        self._exchange.close()

    async def post(self, url: str, body: Mapping[str, Any], read: Callable[[Any], T]) -> Answer[T]:
        """Send ``body`` until ``read`` accepts the answer; to be awaited in the background loop.

        read: from JSON to what is wanted; raises Malformed. Raises EndpointError when the endpoint fails for good.
        """
        if self._exchange.open() or self._gate is None:
            self._gate = asyncio.Semaphore(self.limits.concurrency)
        self.count("requests")
        async with self._gate:
            # a lone surrogate in a text makes a server refuse the whole request; it becomes a question mark
            payload = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
            began, attempt, waited = self.clock.tick(), 0, 0.0
            while True:
                attempt += 1
                try:
                    waited += await self._admitted(url, attempt)
                    value = await self._attempt(url, payload, read, attempt)
                except Trouble as trouble:
                    await self.clock.sleep(self._wait(trouble, url, payload, attempt))
                else:
                    self.count("answered")
                    return Answer(value, attempt, self.clock.tick() - began, waited)

    async def _admitted(self, url: str, attempt: int) -> float:
        """Returns when a request may be sent: at once, or when an endpoint that was down may be tried again.

        Seconds that were waited. Raises EndpointError when waiting is over, or for an endpoint that never answered.
        """
        began = now = self.clock.tick()
        while not self.breaker.admit(now):
            if not self._is_awaited(now):
                self.count("refused_by_breaker")
                raise EndpointError(
                    f"{shown(url)}: not asked, {self._row()} (tries again in {self.breaker.left(now):.0f} s); "
                    "is the server up?",
                    kind="circuit_open",
                    status=None,
                    attempts=attempt - 1,
                )
            if now == began:
                self.count("waited")
                self._tell(url)
            await self.clock.sleep(max(self.breaker.left(now), _LOOK_AGAIN))
            now = self.clock.tick()
        return now - began

    def _tell(self, url: str) -> None:
        """Say that requests are waiting, once in an outage."""
        if self._told != self.breaker.since:
            self._told = self.breaker.since
            most = self.limits.max_outage
            logger.warning("%s: %s; waiting for it, %g s at most (max_outage)", shown(url), self._row(), most)

    def _is_awaited(self, now: float) -> bool:
        return self.breaker.answered and self.breaker.silent(now) < self.limits.max_outage

    def _row(self) -> str:
        return f"{self.breaker.failures} failures in a row, the last: {self._last_trouble}"

    async def _attempt(self, url: str, payload: bytes, read: Callable[[Any], T], attempt: int) -> T:
        self.count("attempts")
        try:
            value = parsed(await self._exchange.post(url, payload), read)
        except Trouble as trouble:
            if trouble.alive is None:
                self.breaker.abandoned()
            elif trouble.alive:
                self.breaker.passed()
            else:
                self.breaker.failed(self.clock.tick())
                self._last_trouble, self._last_kind = trouble.what, trouble.kind
            raise
        except BaseException:
            self.breaker.abandoned()
            raise
        self.breaker.passed()
        return value

    def _wait(self, trouble: Trouble, url: str, payload: bytes, attempt: int) -> float:
        """Seconds to wait before the next attempt; raises EndpointError when there is none."""
        most = self.patience.longest_retry_after
        advice = trouble.advice
        too_long = trouble.retry and trouble.asked is not None and trouble.asked > most
        if too_long:
            advice = f"it asks to wait {trouble.asked:.0f} s, more than longest_retry_after={most:g}"
        if trouble.retry and not too_long and attempt < self.limits.max_attempts:
            self.count(f"retried_{trouble.kind}")
            logger.info("%s: %s; attempt %d of %d", shown(url), trouble.what, attempt, self.limits.max_attempts)
            return self.patience.wait(attempt, payload, trouble.asked)
        if trouble.kind == "connect" and self._is_awaited(now := self.clock.tick()):
            self.breaker.trip(now)  # it is away, which is no fault of this request: wait instead of giving it up
            return 0.0
        self.count("failed")
        tries = f"after {attempt} attempt{'s' * (attempt > 1)}"
        raise EndpointError(
            f"{shown(url)} {trouble.what} {tries}" + (f"; {advice}" if advice else ""),
            kind=trouble.kind,
            status=trouble.status,
            attempts=attempt,
        ) from trouble
