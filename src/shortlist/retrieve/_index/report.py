"""What opening an index did."""

from __future__ import annotations

from dataclasses import dataclass

from ...data.ingest import Skipped


@dataclass(frozen=True)
class Report:
    """read: files parsed now. kept: number of files with the contents they had. removed: files that are gone.
    rebuilt: the numbers are new.

    skipped: what gave no passages, with reasons, of all files. unlisted: how many more. notes: what a reader should
    know.
    """

    read: tuple[str, ...] = ()
    kept: int = 0
    removed: tuple[str, ...] = ()
    rebuilt: bool = False
    skipped: tuple[Skipped, ...] = ()
    unlisted: int = 0
    notes: tuple[str, ...] = ()
