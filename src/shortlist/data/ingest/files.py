"""What there is to read under a path: a folder of files, one file, or a BEIR folder. Reads directories only, no
contents.

Hidden files and folders are passed over, links are followed, and a folder that was seen before (a loop) is not entered
again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...core.errors import InputError
from .types import Skipped

Kind = Literal["text", "markdown", "html", "pdf", "jsonl", "csv", "tsv", "jsonl.gz", "csv.gz", "tsv.gz"]
SUFFIXES: dict[str, Kind] = {
    ".txt": "text", ".text": "text", ".log": "text", ".rst": "text",
    ".md": "markdown", ".markdown": "markdown",
    ".html": "html", ".htm": "html", ".xhtml": "html",
    ".pdf": "pdf",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv",
    ".jsonl.gz": "jsonl.gz", ".csv.gz": "csv.gz", ".tsv.gz": "tsv.gz",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read. name: its path relative to the searched folder, with ``/``; for a single file, the file's
    name."""

    path: Path
    name: str
    kind: Kind
    size: int
    mtime_ns: int


def find(path: Path, *, leave_out: Path | None = None) -> tuple[list[SourceFile], list[Skipped]]:
    """Files by name order, and what was left out with the reason. leave_out: a folder to pass over (the index).

    Of a BEIR folder only ``corpus.jsonl`` is taken. Raises InputError when ``path`` does not exist or is one file of no
    known kind.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_file():
        kind = kind_of(path.name)
        if kind is None:
            raise InputError(f"{path}: cannot read this kind of file; known: {', '.join(SUFFIXES)}")
        return [source_file(path, path.name, kind)], []
    for corpus in (path / "corpus.jsonl", path / "corpus.jsonl.gz"):
        if corpus.is_file():
            return [source_file(corpus, corpus.name, "jsonl.gz" if corpus.suffix == ".gz" else "jsonl")], []
    files: list[SourceFile] = []
    skipped: list[Skipped] = []
    for entry in _walk(path, "", set(), skipped, leave_out.resolve() if leave_out else None):
        name, kind = entry
        if kind is None:
            suffix = Path(name).suffix.lower()
            skipped.append(Skipped(name, f"unknown kind of file {suffix}" if suffix else "unknown kind of file"))
            continue
        try:
            files.append(source_file(path / name, name, kind))
        except OSError as error:
            skipped.append(Skipped(name, f"cannot be read: {error.strerror}"))
    return sorted(files, key=lambda f: f.name), sorted(skipped, key=lambda s: s.path)


def kind_of(name: str) -> Kind | None:
    """The kind that a file's name says, ``None`` for no known one.

    >>> kind_of("a.MD"), kind_of("b.jsonl.gz"), kind_of("c.docx")
    ('markdown', 'jsonl.gz', None)
    """
    suffixes = [s.lower() for s in Path(name).suffixes]
    return SUFFIXES.get("".join(suffixes[-2:])) or SUFFIXES.get("".join(suffixes[-1:]))


def source_file(path: Path, name: str, kind: Kind) -> SourceFile:
    """A file as it stands on disk now."""
    facts = path.stat()
    return SourceFile(path, name, kind, facts.st_size, facts.st_mtime_ns)


def _walk(
    root: Path, inside: str, seen: set[tuple[int, int]], skipped: list[Skipped], leave_out: Path | None
) -> Iterator[tuple[str, Kind | None]]:
    folders = [inside]
    while folders:
        name = folders.pop()
        here = root / name if name else root
        try:
            facts = here.stat()
            if (facts.st_dev, facts.st_ino) in seen or (leave_out is not None and here.resolve() == leave_out):
                continue
            seen.add((facts.st_dev, facts.st_ino))
            with os.scandir(here) as found:
                # Real folders before links to them, so that a text is known by its own place.
                entries = sorted(found, key=lambda e: (e.is_symlink(), e.name), reverse=True)
        except OSError as error:
            skipped.append(Skipped(name or ".", f"cannot be read: {error.strerror}"))
            continue
        for entry in entries:
            path = f"{name}/{entry.name}" if name else entry.name
            if entry.name.startswith("."):
                continue
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError:  # a link that leads to itself
                is_folder = is_file = False
            if is_folder:
                folders.append(path)
            elif is_file:
                yield path, kind_of(entry.name)
            else:
                skipped.append(Skipped(path, "a broken link" if entry.is_symlink() else "not a regular file"))
