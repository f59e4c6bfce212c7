"""The connection to one endpoint: concurrency limit, time-outs, attempts, circuit breaker, counters.

Everything here runs in the background loop. It sends JSON, gets JSON, and knows nothing of what it says.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Generic, TypeVar
from urllib.parse import SplitResult, urlsplit, urlunsplit

from ...core.errors import ConfigError
from ...core.extras import need
from ...core.types import Repair
from .breaker import Breaker
from .loop import background, close_at_exit
from .patience import Clock, Patience, retry_after
from .refusals import EndpointError, Malformed, Trouble, refused

logger = logging.getLogger(__name__)

T = TypeVar("T")
_LOOK_AGAIN = 1.0  # seconds: while another request tries whether the endpoint is back
_LARGEST_ANSWER = 64 * 2**20  # bytes; nothing that a ranking needs is near it


@dataclass(frozen=True)
class Address:
    """Where requests go, and by what key. api_key_env: the variable that holds it; read when a request is sent."""

    url: str
    api_key_env: str | None = None
    api_key_header: str = "Authorization"
    headers: Mapping[str, str] = field(default_factory=dict)

    def route(self, path: str) -> str:
        """The URL with ``path`` appended to its own; a query string stays at the end."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))

    def key_headers(self) -> dict[str, str]:
        key = os.environ.get(self.api_key_env, "") if self.api_key_env else ""
        if not key:
            return {}
        return {self.api_key_header: f"Bearer {key}" if self.api_key_header == "Authorization" else key}

    def key_advice(self) -> str:
        """What to do when the server wants a key, or another one. Never holds the key."""
        if not self.api_key_env:
            return "no key was sent: name the environment variable that holds it in api_key_env"
        if not os.environ.get(self.api_key_env):
            return f"no key was sent: the environment variable {self.api_key_env} is not set"
        return f"the key in the environment variable {self.api_key_env} is not accepted"


@dataclass(frozen=True)
class Limits:
    """concurrency: requests under way at once. timeout: seconds for one attempt from its start to the last byte;
    read_timeout: of silence within it; connect_timeout: until connected. max_attempts: per request, the first
    included. max_outage: seconds that requests wait for an endpoint that has answered and does not any more."""

    concurrency: int
    timeout: float
    read_timeout: float | None
    connect_timeout: float
    max_attempts: int
    max_outage: float = 600.0

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_attempts"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)}: expected 1 or more")
        for name in ("timeout", "connect_timeout", "read_timeout"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name}={value}: expected seconds, more than 0")
        if not self.max_outage >= 0:
            raise ConfigError(f"max_outage={self.max_outage}: expected seconds, 0 or more")


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
        self._client: Any = None
        self._owner = 0
        self._closer: weakref.finalize[..., Any] | None = None
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
        return f"{_shown(self.address.url)}: {self._row()}" if silent else ""

    def count(self, name: str, by: int = 1) -> int:
        """Add to a counter; its new value."""
        with self._lock:
            self._counts[name] += by
            return self._counts[name]

    def __reduce__(self) -> tuple[Any, ...]:
        return Link, (self.address, self.limits, self.patience, self.clock)  # a copy opens its own connections

    def close(self) -> None:
        """Close the connections and wait for it; the next request opens new ones. Not for the background loop."""
        if self._closer is not None and (closing := self._closer()) is not None:
            closing.result()
        self._client = None

    async def post(self, url: str, body: Mapping[str, Any], read: Callable[[Any], T]) -> Answer[T]:
        """Send ``body`` until ``read`` accepts the answer; to be awaited in the background loop.

        read: from JSON to what is wanted; raises Malformed. Raises EndpointError when the endpoint fails for good.
        """
        self._open()
        self.count("requests")
        assert self._gate is not None
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
                    f"{_shown(url)}: not asked, {self._row()} (tries again in {self.breaker.left(now):.0f} s); "
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
            logger.warning("%s: %s; waiting for it, %g s at most (max_outage)", _shown(url), self._row(), most)

    def _is_awaited(self, now: float) -> bool:
        return self.breaker.answered and self.breaker.silent(now) < self.limits.max_outage

    def _row(self) -> str:
        return f"{self.breaker.failures} failures in a row, the last: {self._last_trouble}"

    async def _attempt(self, url: str, payload: bytes, read: Callable[[Any], T], attempt: int) -> T:
        self.count("attempts")
        try:
            value = _read(await self._once(url, payload), read)
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
            logger.info("%s: %s; attempt %d of %d", _shown(url), trouble.what, attempt, self.limits.max_attempts)
            return self.patience.wait(attempt, payload, trouble.asked)
        if trouble.kind == "connect" and self._is_awaited(now := self.clock.tick()):
            self.breaker.trip(now)  # it is away, which is no fault of this request: wait instead of giving it up
            return 0.0
        self.count("failed")
        tries = f"after {attempt} attempt{'s' * (attempt > 1)}"
        raise EndpointError(
            f"{_shown(url)} {trouble.what} {tries}" + (f"; {advice}" if advice else ""),
            kind=trouble.kind,
            status=trouble.status,
            attempts=attempt,
        ) from trouble

    async def _once(self, url: str, payload: bytes) -> bytes:
        """One exchange: the body of an answer with status 2xx. Raises Trouble."""
        httpx = need("httpx2>=2.0", extra="http")
        limits, raw = self.limits, bytearray()
        try:
            async with (
                asyncio.timeout(limits.timeout),
                self._client.stream("POST", url, content=payload, headers=self.address.key_headers()) as response,
            ):
                async for chunk in response.aiter_bytes():
                    raw += chunk
                    if len(raw) > _LARGEST_ANSWER:
                        raise Trouble("too_large", f"answered more than {_LARGEST_ANSWER} bytes", retry=False)
        except httpx.ConnectTimeout as error:
            what = f"did not take a connection within connect_timeout={limits.connect_timeout:g} s"
            raise Trouble("connect", what, advice="check the URL, and whether the server is up") from error
        except (TimeoutError, httpx.TimeoutException) as error:
            what = f"did not answer within timeout={limits.timeout:g} s"
            if limits.read_timeout is not None and limits.read_timeout < limits.timeout:
                what += f" or was silent for read_timeout={limits.read_timeout:g} s"
            raise Trouble("timeout", what, advice="raise timeout, or lower concurrency or max_tokens") from error
        except httpx.ConnectError as error:
            what = f"cannot be reached ({error})"
            raise Trouble("connect", what, advice="check the URL, and whether the server is up") from error
        except httpx.RequestError as error:
            raise Trouble("dropped", f"broke off the connection ({type(error).__name__}: {error})") from error
        if 200 <= response.status_code < 300:
            return bytes(raw)
        asked = retry_after(response.headers, self.clock.now())
        raise refused(response.status_code, bytes(raw), self.address.key_advice(), asked)

    def _open(self) -> None:
        if self._client is not None and self._owner == os.getpid():
            return
        httpx = need("httpx2>=2.0", extra="http")
        limits = self.limits
        self._gate = asyncio.Semaphore(limits.concurrency)
        self._client = httpx.AsyncClient(
            headers={"content-type": "application/json", "accept": "application/json", **self.address.headers},
            timeout=httpx.Timeout(limits.read_timeout or limits.timeout, connect=limits.connect_timeout, pool=None),
            limits=httpx.Limits(max_connections=limits.concurrency, max_keepalive_connections=limits.concurrency),
            trust_env=not _is_loopback(urlsplit(self.address.url)),  # a proxy cannot reach this machine's own ports
        )
        self._owner = os.getpid()
        self._closer = weakref.finalize(self, _close, self._client, self._owner)
        self._closer.atexit = False  # the loop closes what is left before it ends
        close_at_exit(self._client)


def checked(name: str, url: str) -> None:
    """Raise ConfigError for a URL that requests cannot be sent to, or that holds a secret."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{name}={url!r}: expected http://... or https://...")
    if parts.username or parts.password:
        raise ConfigError(f"{name} holds a password, which would stand in logs; name its variable in api_key_env")


def _read(raw: bytes, read: Callable[[Any], T]) -> T:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        start = raw[:80].decode("utf-8", "replace")
        advice = "it may be cut, or the URL may lead to something else than an API"
        raise Trouble("not_json", f"answered something that is not JSON ({start!r})", advice=advice) from error
    try:
        return read(data)
    except Malformed as error:
        raise Trouble("malformed", error.what, retry=error.retry, alive=True) from error


def _shown(url: str) -> str:
    """The URL without its query string, which may hold a key."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _close(client: Any, owner: int) -> Future[None] | None:
    return asyncio.run_coroutine_threadsafe(client.aclose(), background()) if owner == os.getpid() else None
