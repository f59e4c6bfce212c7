"""Bring an index up to date with its files: what to read, what to keep, what to forget."""

from __future__ import annotations

import importlib.metadata
import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from ...core.errors import InputError
from ...data.ingest import Skipped, SourceFile, source_file
from .._analysis import language_name
from .manifest import DamagedIndex, Entry, Manifest, Settings, read, write
from .numbers import POSTINGS, build_numbers
from .reader import Opener, ShardReader
from .report import Report
from .shards import facts_of, terms_of

_STALE = 3600  # seconds after which a temporary file of another process is taken for abandoned


@dataclass(frozen=True, slots=True)
class Progress:
    """Before file ``done + 1`` of ``total`` is looked at."""

    done: int
    total: int
    name: str


class Updater:
    """One opening of one index; the caller holds the lock."""

    def __init__(
        self,
        source: Path,
        folder: Path,
        *,
        progress: Callable[[Progress], None] | None = None,
        opener: Opener | None = None,
    ) -> None:
        self._source, self._folder = source, folder
        self._progress, self._opener = progress or (lambda _: None), opener or _open

    def run(
        self, found: tuple[list[SourceFile], list[Skipped]], asked: dict[str, Any], *, afresh: bool
    ) -> tuple[Manifest, Report]:
        """The manifest as it is on disk afterwards, and what was done."""
        files, skipped = found
        notes: list[str] = []
        old = None if afresh else self._old(notes)
        settings = self._settings(old, files, asked)
        if old is not None and old.settings != settings:
            notes.append(f"built again: {_difference(old.settings, settings)}")
            old = None
        if afresh:
            shutil.rmtree(self._folder / "shards", ignore_errors=True)
        reader = ShardReader(self._folder, settings, self._opener)
        before = dict(old.files) if old else {}
        entries: dict[str, Entry] = {}
        parsed: list[str] = []
        kept = 0
        for number, file in enumerate(files):
            self._progress(Progress(number, len(files), file.name))
            known = before.get(file.name)
            if known is not None and _unchanged(known, file):
                entries[file.name], kept = known, kept + 1
                continue
            entries[file.name], fresh = reader.entry(file)
            if fresh:
                parsed.append(file.name)
            else:
                kept += 1
        if not any(e.passages for e in entries.values()):
            raise InputError(_nothing(self._source, entries, skipped))
        removed = tuple(sorted(set(before) - set(entries)))
        if old is not None and _same_shards(old.files, entries):
            manifest = replace(old, files=entries)
            if entries != before:
                write(manifest, self._folder)
            return manifest, Report(tuple(parsed), kept, removed, False, notes=tuple(notes))
        manifest = self.renumber(Manifest(settings, entries, ""), notes)
        return manifest, Report(tuple(parsed), kept, removed, True, notes=tuple(notes))

    def renumber(self, manifest: Manifest, notes: list[str]) -> Manifest:
        """Compute the numbers from the shards, write the manifest, and clear away what it does not name."""
        manifest = self._mended(manifest, notes, facts_of)
        try:
            postings = build_numbers(self._folder, manifest)
        except DamagedIndex:  # a shard of the right form with wrong contents
            manifest = self._mended(manifest, notes, lambda path: deque(terms_of(path), maxlen=0))
            postings = build_numbers(self._folder, manifest)
        manifest = replace(manifest, postings=postings, versions=_versions())
        write(manifest, self._folder)
        (self._folder / ".gitignore").write_text("*\n", encoding="utf-8")
        self._clear(manifest)
        return manifest

    def _mended(self, manifest: Manifest, notes: list[str], check: Callable[[Path], object]) -> Manifest:
        """The manifest after reading again the files whose shards do not pass ``check``."""
        reader = ShardReader(self._folder, manifest.settings, self._opener)
        entries = dict(manifest.files)
        for name, entry in manifest.files.items():
            if not entry.passages:
                continue
            try:
                check(reader.path(entry.shard))
            except DamagedIndex as error:
                notes.append(f"{error}; {name} was read again")
                reader.path(entry.shard).unlink(missing_ok=True)
                path = self._source if self._source.is_file() else self._source / name
                entries[name], _ = reader.entry(source_file(path, name, entry.kind))
        return replace(manifest, files=entries)

    def _old(self, notes: list[str]) -> Manifest | None:
        try:
            return read(self._folder)
        except DamagedIndex as error:
            notes.append(f"{error}; the index was built again")
            return None

    def _settings(self, old: Manifest | None, files: list[SourceFile], asked: dict[str, Any]) -> Settings:
        kept = {} if old is None else {k: getattr(old.settings, k) for k in ("language", "window", "overlap")}
        if "language" in asked:
            asked = {**asked, "language": language_name(asked["language"])}
        return Settings(**{**kept, **asked}, qualified=self._source.is_dir() and len(files) > 1)

    def _clear(self, manifest: Manifest) -> None:
        named = {e.shard for e in manifest.files.values()}
        for shard in (self._folder / "shards").glob("*"):
            if shard.name not in named:
                shard.unlink(missing_ok=True)
        for numbers in self._folder.glob(f"{POSTINGS}*"):
            if numbers.name != manifest.postings:
                shutil.rmtree(numbers, ignore_errors=True)
        for scratch in self._folder.glob("*.tmp"):
            if time.time() - scratch.stat().st_mtime > _STALE:
                scratch.unlink(missing_ok=True)


def _unchanged(entry: Entry, file: SourceFile) -> bool:
    return entry.settled and (entry.kind, entry.size, entry.mtime_ns) == (file.kind, file.size, file.mtime_ns)


def _same_shards(old: Any, new: Any) -> bool:
    return [(e.name, e.shard) for e in old.values()] == [(e.name, e.shard) for e in new.values()]


def _difference(old: Settings, new: Settings) -> str:
    changed = [n for n in new.__slots__ if getattr(old, n) != getattr(new, n)]
    return ", ".join(f"{name} is {getattr(new, name)!r}, was {getattr(old, name)!r}" for name in changed)


def _nothing(source: Path, entries: dict[str, Entry], skipped: list[Skipped]) -> str:
    reasons = [f"{e.name}: {e.reason or 'nothing in it'}" for e in entries.values()] + [str(s) for s in skipped]
    shown = "; ".join(reasons[:5]) + (f"; and {len(reasons) - 5} more" if len(reasons) > 5 else "")
    return f"{source}: nothing to index" + (f" ({shown})" if reasons else ": no files in it")


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("shortlist", "bm25s", "PyStemmer")}


def _open(path: Path) -> BinaryIO:
    return path.open("rb")
