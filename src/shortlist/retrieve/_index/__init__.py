"""An index on disk over files: made once, brought up to date at each opening, read only for what changed.

    index = Index.open("folder")            # reads new and changed files, forgets deleted ones
    index.retriever % 10                    # a BM25 over its passages

A file that kept its size and time stamp is not opened. One that changed is read, split into passages and analysed;
its passages are kept in a shard of its own. When any shard came, changed or went, the BM25 numbers are computed again
from the terms in all shards (they depend on the whole collection); no other source file is read for that. Every file
of the index appears whole or not at all, the manifest last, so a killed run leaves the old index or finished shards,
and the next run goes on from these. Damage is met by building again, with a note.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...core.lock import locked
from ...data.ingest import Skipped, find
from ..bm25 import BM25
from .location import index_folder
from .manifest import DamagedIndex, Entry, Manifest, Settings
from .numbers import load_numbers
from .reader import Opener
from .report import Report
from .update import Progress, Updater

__all__ = ["DamagedIndex", "Index", "Progress", "Report", "Settings", "index_folder"]


@dataclass(frozen=True)
class Index:
    """Passages of files, and a BM25 over them. Made by ``Index.open``."""

    folder: Path
    manifest: Manifest
    retriever: BM25 = field(compare=False)
    report: Report = field(default_factory=Report, compare=False)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        folder: str | os.PathLike[str] | None = None,
        language: str | None = None,
        window: int | None = None,
        overlap: int | None = None,
        afresh: bool = False,
        progress: Callable[[Progress], None] | None = None,
        opener: Opener | None = None,
    ) -> Index:
        """Bring the index of ``path`` up to date and open it.

        path: a folder, one file, or a BEIR folder. folder: where the index lies (see ``index_folder``). language,
        window, overlap: as the index has them when not given; else English and the defaults of ``data.ingest``.
        afresh: forget the old index. progress: told before each file is looked at. opener: opens source files for
        reading, in binary. Raises InputError when there is nothing to index under ``path``, with the reasons.
        """
        source = Path(path)
        found = find(source, leave_out=Path(folder) if folder is not None else None)
        place = index_folder(source, folder)
        with locked(place / "lock"):
            updater = Updater(source, place, progress=progress, opener=opener)
            asked = {"language": language, "window": window, "overlap": overlap}
            manifest, report = updater.run(found, {k: v for k, v in asked.items() if v is not None}, afresh=afresh)
            try:
                retriever = load_numbers(place, manifest)
            except DamagedIndex as error:
                notes = [*report.notes, f"{error}; built again"]
                manifest = updater.renumber(manifest, notes)
                report = replace(report, rebuilt=True, notes=tuple(notes))
                retriever = load_numbers(place, manifest)
        return cls(place, manifest, retriever, _summed(report, manifest.files.values(), found[1]))


def _summed(report: Report, entries: Iterable[Entry], not_read: list[Skipped]) -> Report:
    """The report with what the manifest knows of all files, read now or before."""
    skipped, notes, unlisted = list(not_read), list(report.notes), 0
    for entry in entries:
        if entry.reason:
            skipped.append(Skipped(entry.name, entry.reason))
        skipped += [Skipped(entry.name, reason, line) for line, reason in entry.skipped]
        notes += [f"{entry.name}: {note}" for note in entry.notes]
        unlisted += entry.unlisted
    return replace(report, skipped=tuple(skipped), notes=tuple(notes), unlisted=unlisted)
