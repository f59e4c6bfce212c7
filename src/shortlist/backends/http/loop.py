"""One event loop in a background thread, shared by every endpoint of this process.

A driver runs each batch of queries in an event loop of its own, and a connection belongs to the loop that opened it.
So connections live here: they are kept from batch to batch, and limits hold over all loops that ask. After a fork the
child starts its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from ...core.waiting import gathered

T = TypeVar("T")


class Closable(Protocol):
    async def aclose(self) -> None: ...


_lock = threading.Lock()
_open: weakref.WeakSet[Closable] = weakref.WeakSet()
_running: dict[int, asyncio.AbstractEventLoop] = {}


def background() -> asyncio.AbstractEventLoop:
    """The loop of this process, started when first needed."""
    with _lock:
        loop = _running.get(os.getpid())
        if loop is None:
            _running.clear()
            loop = _running[os.getpid()] = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="shortlist-http", daemon=True)
            thread.start()
            atexit.register(_stop, loop, thread, os.getpid())
        return loop


def close_at_exit(client: Closable) -> None:
    """Close ``client`` when the process ends, if it still exists."""
    _open.add(client)


async def elsewhere(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` in the background loop; cancelling the caller cancels the work."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, background()))


def blocking(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` in the background loop and wait for it, from any thread but the loop's own."""
    future = asyncio.run_coroutine_threadsafe(work, background())
    try:
        return future.result()
    except BaseException:  # an interrupt must not leave requests behind that nobody reads
        future.cancel()
        raise


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread, owner: int) -> None:
    if owner != os.getpid() or loop.is_closed():
        return
    with suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(gathered([client.aclose() for client in list(_open)]), loop).result(2.0)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(1.0)
    if not thread.is_alive():
        loop.close()
