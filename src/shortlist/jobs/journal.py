"""An append-only record of finished batches. A record that was cut by a kill is recognised and dropped.

Each line is ``crc32 TAB json``. The first line is the header that identifies the job; a batch counts as done only
when its line is whole, so a job that continues repeats whole batches and computes the same numbers as an undisturbed
one.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError


class Journal:
    """The journal of one job at ``path``. header: what must be equal for the job to be the same job."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path, self.header = path, dict(header)

    def open(self) -> int:
        """Create the journal, or cut off a torn record and return how many batches are done.

        Raises ConfigError when the file belongs to another job, naming what differs.
        """
        if not self.path.exists() or self.path.stat().st_size == 0:
            self.path.write_bytes(b"")
            self._append(self.header)
            return 0
        found, whole, count = None, 0, 0
        for end, record in self._lines():
            found, whole, count = record if found is None else found, end, count + 1
        if found is None:
            raise ConfigError(f"{self.path} is no journal of this program, or its first line is damaged; move it away")
        differing = sorted(k for k in {*found, *self.header} if found.get(k) != self.header.get(k))
        if differing and count == 1:  # it was refused before anything was computed: nothing to lose
            self.path.write_bytes(b"")
            self._append(self.header)
            return 0
        if differing:
            raise ConfigError(
                f"{self.path} is the journal of an unfinished job that differs in {', '.join(differing)} "
                f"(there: {[found.get(k) for k in differing]}, now: {[self.header.get(k) for k in differing]}); "
                "repeat the same command to finish it, or start again with --restart"
            )
        with self.path.open("r+b") as file:
            file.truncate(whole)
        return count - 1

    def add(self, batch: Mapping[str, Any]) -> None:
        """Record a finished batch; when this returns it survives a kill and a power cut."""
        self._append(batch)

    def batches(self) -> Iterator[dict[str, Any]]:
        """The finished batches, in order, one in memory at a time."""
        for number, (_, record) in enumerate(self._lines()):
            if number:
                yield record

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def _append(self, record: Mapping[str, Any]) -> None:
        text = json.dumps(record, ensure_ascii=True, sort_keys=True).encode()
        with self.path.open("ab") as file:
            file.write(b"%08x\t%s\n" % (zlib.crc32(text), text))
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(offset after the record, record) of every whole record from the start."""
        end = 0
        with self.path.open("rb") as file:
            for line in file:
                crc, _, text = line.rstrip(b"\n").partition(b"\t")
                if not line.endswith(b"\n") or crc != b"%08x" % zlib.crc32(text):
                    return
                end += len(line)
                yield end, json.loads(text)
