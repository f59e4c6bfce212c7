"""One writer at a time: a lock on a file, given back by the system when its holder dies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold ``path`` in the block; wait for another process that holds it, or raise BlockingIOError at once."""
    with path.open("a+b") as stream:
        _hold(stream, wait)
        try:
            yield
        finally:
            _release(stream)


if sys.platform == "win32":
    import msvcrt
    import time

    def _hold(stream: IO[bytes], wait: bool) -> None:
        while True:
            try:
                stream.seek(0)
                msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
                return
            except OSError as error:  # held by another process
                if not wait:
                    raise BlockingIOError(*error.args) from error
                time.sleep(0.05)

    def _release(stream: IO[bytes]) -> None:
        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _hold(stream: IO[bytes], wait: bool) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))

    def _release(stream: IO[bytes]) -> None:
        fcntl.flock(stream, fcntl.LOCK_UN)
