"""One source file to one shard: read once, hashed on the way, parsed only when the contents are new."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from ...data.ingest import FileReport, SourceFile, Splitting, Unreadable, read_passages
from .._analysis import Analysis
from .manifest import DamagedIndex, Entry, Settings
from .shards import facts_of, finish, write_shard

SETTLED_AFTER = 0.1  # seconds; a file younger than this when it was read may change again under the same time stamp
Opener = Callable[[Path], BinaryIO]


class ShardReader:
    """Makes entries of files. opener: the one place through which source files are opened."""

    def __init__(self, folder: Path, settings: Settings, opener: Opener) -> None:
        self._shards, self._settings, self._opener = folder / "shards", settings, opener
        self._analysis = Analysis(settings.language)
        self._splitting = Splitting(settings.window, settings.overlap)
        self._scratch = folder / f"shard.{os.getpid()}.tmp"

    def path(self, shard: str) -> Path:
        """Where the shard of that name lies."""
        return self._shards / shard

    def entry(self, file: SourceFile) -> tuple[Entry, bool]:
        """The entry of a file, and whether it was parsed. Contents for which there is a shard are hashed, not parsed.

        A file that cannot be read gets an entry with the reason.
        """
        settled = time.time() - file.mtime_ns / 1e9 > SETTLED_AFTER
        blank = Entry(file.name, file.kind, file.size, file.mtime_ns, "", settled=settled)
        try:
            if self._shards.is_dir():
                with self._opener(file.path) as stream:
                    digest = hashlib.file_digest(cast(Any, stream), "sha256").hexdigest()
                found = self._finished(blank, digest)
                if found is not None:
                    return found, False
            return self._parse(file, blank), True
        except OSError as error:
            return replace(blank, reason=f"cannot be read: {error.strerror or error}", settled=False), True

    def _finished(self, blank: Entry, digest: str) -> Entry | None:
        """The entry from a shard that holds these contents already."""
        name = self._name(blank, digest)
        try:
            facts = facts_of(self.path(name))
            return _with_facts(replace(blank, sha256=digest, shard=name), facts)
        except (DamagedIndex, KeyError, TypeError):
            return None

    def _parse(self, file: SourceFile, blank: Entry) -> Entry:
        try:
            digest, facts = self._write(file, None)
        except UnicodeDecodeError as error:
            digest, facts = self._write(file, "cp1252", f"not valid {error.encoding}; read as Windows-1252")
        name = self._name(blank, digest)
        finish(self._scratch, self.path(name), facts)
        return _with_facts(replace(blank, sha256=digest, shard=name), facts)

    def _write(self, file: SourceFile, encoding: str | None, note: str = "") -> tuple[str, dict[str, Any]]:
        report = FileReport(file.name)
        reason, count = "", 0
        with self._opener(file.path) as raw, self._scratch.open("wb") as out:
            stream = _Hashed(raw)
            passages = read_passages(
                file,
                cast(BinaryIO, io.BufferedReader(cast(Any, stream), 1 << 16)),
                report,
                self._splitting,
                encoding=encoding,
                qualify=self._settings.qualified,
            )
            try:
                count = write_shard(out, passages, self._analysis)
            except Unreadable as error:
                reason = str(error)
                out.seek(0)
                out.truncate()
            digest = stream.digest()
        facts = {
            "passages": 0 if reason else count,
            "documents": report.documents,
            "reason": reason,
            "notes": [note] * bool(note) + report.notes,
            "skipped": [(s.line, s.reason) for s in report.skipped],
            "unlisted": report.unlisted,
        }
        return digest, facts

    def _name(self, entry: Entry, digest: str) -> str:
        key = "\n".join((entry.name, entry.kind, digest, self._settings.shard_digest))
        return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _with_facts(entry: Entry, facts: dict[str, Any]) -> Entry:
    return replace(
        entry,
        passages=int(facts["passages"]),
        documents=int(facts["documents"]),
        reason=str(facts["reason"]),
        notes=tuple(facts["notes"]),
        skipped=tuple((int(line), str(reason)) for line, reason in facts["skipped"]),
        unlisted=int(facts["unlisted"]),
    )


class _Hashed(io.RawIOBase):
    """A stream that hashes what is read through it."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream, self._sha = stream, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._sha.update(data)
        return len(data)

    def digest(self) -> str:
        """Of the whole file: what was not read yet is read now."""
        while block := self._stream.read(1 << 20):
            self._sha.update(block)
        return self._sha.hexdigest()
