"""A plain copy of what cannot be read at any place: compressed files, standard input, JSON arrays. Made once, then
reused."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from ..formats.documents import iter_documents
from ..formats.lines import STDIN, Source
from ..formats.records import is_array, write_records
from ..formats.writers import corpus_record
from .offsets import fingerprint
from .places import place

__all__ = ["place", "plain_file"]


def plain_file(
    source: Source, cache: str | PathLike[str] | None = None, columns: Mapping[str, str] | None = None
) -> Path:
    """The file itself when its records can be read at any place, else a JSONL copy of its documents, made when it is
    needed."""
    if source.path == STDIN:
        folder = Path(cache) if cache is not None else Path(tempfile.mkdtemp(prefix="shortlist-stdin-"))
        folder.mkdir(parents=True, exist_ok=True)
        return _copy(source, folder / "stdin.jsonl", columns)
    path = Path(source.path)
    if not source.is_packed() and not is_array(source):
        return path
    copy, stamp = place(path, ".plain.jsonl", cache), place(path, ".plain.json", cache)
    made_from = fingerprint(path, dict(columns or {}))
    try:
        if copy.exists() and json.loads(stamp.read_text(encoding="utf-8")) == made_from:
            return copy
    except (OSError, ValueError):
        pass
    stamp.unlink(missing_ok=True)
    _copy(source, copy, columns)
    stamp.write_text(json.dumps(made_from), encoding="utf-8")
    return copy


def _copy(source: Source, target: Path, columns: Mapping[str, str] | None) -> Path:
    write_records((corpus_record(document) for document in iter_documents(source, columns=columns)), target)
    return target
