"""One exchange with an endpoint: a body is sent, an answer of a bounded size comes back, or what went wrong.

The connections are opened with the first request of a process and closed by ``close`` or with the last reference.
"""

from __future__ import annotations

import asyncio
import json
import os
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from ...core.errors import ConfigError
from ...core.extras import need
from .address import Address
from .loop import background, close_at_exit
from .patience import Clock, retry_after
from .refusals import Malformed, Trouble, refused

T = TypeVar("T")
_LARGEST_ANSWER = 64 * 2**20  # bytes; nothing that a ranking needs is near it


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


class Exchange:
    """The connections to one endpoint; used in the background loop only."""

    def __init__(self, address: Address, limits: Limits, clock: Clock) -> None:
        self.address, self.limits, self.clock = address, limits, clock
        self._client: Any = None
        self._owner = 0
        self._closer: weakref.finalize[..., Any] | None = None

    def open(self) -> bool:
        """Open the connections unless they are; whether they had to be opened."""
        if self._client is not None and self._owner == os.getpid():
            return False
        httpx = need("httpx2>=2.0", extra="http")
        limits = self.limits
        self._client = httpx.AsyncClient(
            headers={"content-type": "application/json", "accept": "application/json", **self.address.headers},
            timeout=httpx.Timeout(limits.read_timeout or limits.timeout, connect=limits.connect_timeout, pool=None),
            limits=httpx.Limits(max_connections=limits.concurrency, max_keepalive_connections=limits.concurrency),
            trust_env=not self.address.local,
        )
        self._owner = os.getpid()
        self._closer = weakref.finalize(self, _close, self._client, self._owner)
        self._closer.atexit = False  # the loop closes what is left before it ends
        close_at_exit(self._client)
        return True

    def close(self) -> None:
        """Close the connections and wait for it; the next request opens new ones. Not for the background loop."""
        if self._closer is not None and (closing := self._closer()) is not None:
            closing.result()
        self._client = None

    async def post(self, url: str, payload: bytes) -> bytes:
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


def parsed(raw: bytes, read: Callable[[Any], T]) -> T:
    """What ``read`` makes of an answer. Raises Trouble."""
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


def _close(client: Any, owner: int) -> Future[None] | None:
    return asyncio.run_coroutine_threadsafe(client.aclose(), background()) if owner == os.getpid() else None
