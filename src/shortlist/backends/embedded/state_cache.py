"""Token states on disk, by content: a passage is encoded once, and the next search only encodes its query.

One SQLite file, shared by processes (write-ahead log, so readers do not wait for a writer). The key is a SHA-256 of the
encoder's digest and the text, so another model, precision or window never meets these entries. States are kept as int8
rows with a scale (38 kB per 100 tokens of 384); every entry carries a checksum, and one that does not match is a miss
that is counted. A file that SQLite cannot read is set aside and begun anew.

A cache is never a reason to fail: when the disk is full or the file locked, the states are computed again and
`failures` counts it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import threading
import time
import weakref
import zlib
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.places import cache_folder
from .int8_rows import quantise_rows

logger = logging.getLogger(__name__)

States = NDArray[np.float32]
Entry = tuple[bytes, int]
"""What is kept of a text: its packed states and the number of its tokens."""
_VERSION = 1  # part of every key: raise it when the layout of an entry changes
_CHUNK = 500  # SQLite allows 999 parameters in its oldest builds
_SCHEMA = """
CREATE TABLE IF NOT EXISTS states (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    tokens INTEGER NOT NULL,
    check_sum INTEGER NOT NULL,
    data BLOB NOT NULL
)"""


@dataclass
class StateCache:
    """Token states by encoder and text. path: the SQLite file, by default in the user's cache folder.

    limit_mb: size of the file above which the oldest entries go. Counters: hits, misses, corrupt (entries or files),
    failures.
    """

    path: Path | None = None
    _: KW_ONLY
    limit_mb: int = 2048
    hits: int = field(init=False, default=0)
    misses: int = field(init=False, default=0)
    corrupt: int = field(init=False, default=0)
    failures: int = field(init=False, default=0)
    _connection: sqlite3.Connection | None = field(init=False, repr=False, default=None)
    _owner: int = field(init=False, repr=False, default=0)
    _lock: threading.RLock = field(init=False, repr=False, default_factory=threading.RLock)

    def get(self, digest: str, texts: Sequence[str]) -> list[States | None]:
        """The states of each text, or None where there is no sound entry."""
        keys = [_key(digest, text) for text in texts]
        with self._lock:
            found = self._read(list(dict.fromkeys(keys)))
            result = [found.get(key) for key in keys]
            self.hits += sum(states is not None for states in result)
            self.misses += sum(states is None for states in result)
        return result

    def put(self, digest: str, texts: Sequence[str], entries: Sequence[Entry]) -> None:
        """Keep an entry for each text; all of them or, after a crash, none."""
        pairs = zip(texts, entries, strict=True)
        rows = [(_key(digest, text), tokens, zlib.crc32(data, tokens), data) for text, (data, tokens) in pairs]
        with self._lock:
            try:
                connection = self._open()
                with connection:
                    connection.executemany(
                        "REPLACE INTO states (key, tokens, check_sum, data) VALUES (?, ?, ?, ?)", rows
                    )
                self._shrink(connection)
            except (sqlite3.Error, OSError) as error:
                self._fail(error)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None and self._owner == os.getpid():
                self._connection.close()
            self._connection = None

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, States]:
        found: dict[bytes, States] = {}
        try:
            connection = self._open()
            for start in range(0, len(keys), _CHUNK):
                chunk = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                query = f"SELECT key, tokens, check_sum, data FROM states WHERE key IN ({marks})"
                for key, tokens, check_sum, data in connection.execute(query, chunk):
                    if zlib.crc32(data, tokens) == check_sum:
                        found[key] = unpack(data, tokens)
                    else:
                        self.corrupt += 1
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
        return found

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._owner == os.getpid():
            return self._connection
        path = self._file()
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
        try:
            _prepare(connection)
        except sqlite3.Error:
            connection.close()
            raise
        self._connection, self._owner = connection, os.getpid()
        weakref.finalize(self, _close, connection, self._owner)
        return connection

    def _file(self) -> Path:
        return self.path if self.path is not None else cache_folder() / "states.sqlite"

    def _shrink(self, connection: sqlite3.Connection) -> None:
        def pages(name: str) -> int:
            return int(connection.execute(f"PRAGMA {name}").fetchone()[0])

        used = (pages("page_count") - pages("freelist_count")) * pages("page_size")
        while used > self.limit_mb * 2**20:
            with connection:
                oldest = "SELECT id FROM states ORDER BY id LIMIT max(1, (SELECT count(*) FROM states) / 5)"
                gone = connection.execute(f"DELETE FROM states WHERE id IN ({oldest})").rowcount
            if not gone:
                return
            used = (pages("page_count") - pages("freelist_count")) * pages("page_size")

    def _fail(self, error: Exception) -> None:
        """Count a failure; set an unreadable file aside so that the next use starts a new one."""
        broken = type(error) in (sqlite3.DatabaseError, sqlite3.IntegrityError)  # not a locked file or a wrong call
        logger.warning("state cache %s: %s; the states are computed again", self._file(), error)
        self.close()
        if not broken:
            self.failures += 1
            return
        self.corrupt += 1
        path = self._file()
        try:
            for end in ("-wal", "-shm"):
                path.with_name(path.name + end).unlink(missing_ok=True)
            path.replace(path.with_name(path.name + ".corrupt"))
        except OSError as problem:  # another process was faster, or the folder cannot be written
            logger.warning("state cache %s could not be set aside: %s", path, problem)
            self.failures += 1


def _prepare(connection: sqlite3.Connection) -> None:
    """Settings and table; tried again while another process makes the same file."""
    for tries_left in (4, 3, 2, 1, 0):
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA page_size = 16384")  # an entry is tens of kB: fewer pages to follow
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_SCHEMA)
            return
        except sqlite3.OperationalError:  # the change to WAL does not wait for a lock
            if not tries_left:
                raise
            time.sleep(0.05)


def _close(connection: sqlite3.Connection, owner: int) -> None:
    """Close in the process that opened: a connection must not be used, nor closed, on the other side of a fork."""
    if owner == os.getpid():
        connection.close()


def pack(states: States) -> bytes:
    """Float32 scales, then int8 rows. Error of a value at most 1/254 of the row's largest."""
    rows, scales = quantise_rows(np.asarray(states, np.float32))
    return scales.astype("<f4").tobytes() + rows.tobytes()


def unpack(data: bytes, tokens: int) -> States:
    """The states that ``pack`` was given, rounded.

    >>> unpack(pack(np.ones((2, 3), np.float32)), 2).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    scales = np.frombuffer(data, "<f4", tokens)
    rows = np.frombuffer(data, np.int8, offset=4 * tokens).reshape(tokens, -1)
    states: States = rows * scales[:, None]
    return states


def _key(digest: str, text: str) -> bytes:
    return hashlib.sha256(f"{_VERSION}\n{digest}\n".encode() + text.encode("utf-8", "surrogatepass")).digest()
