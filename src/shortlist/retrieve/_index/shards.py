"""A shard: the passages of one file with their terms, one line each, and a footer that proves it whole.

    terms separated by spaces <TAB> passage as JSON <LF>       one per passage
    footer as JSON <LF> byte offset of the footer, 20 digits <LF>

Its name is a digest of the file's contents and of all settings that decide what is in it, so an equal name is an
equal shard, and one that was finished before a kill is found again.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ...core.types import Document
from .._analysis import Analysis
from .._documents import document_from_line, line_of
from .manifest import DamagedIndex

_TAIL = 21


def write_shard(stream: BinaryIO, documents: Iterable[Document], analysis: Analysis) -> int:
    """Passages into an open file; returns how many. The footer is written by ``finish``."""
    count = 0
    for document in documents:
        terms = " ".join(analysis.terms(document.full_text)).encode("utf-8")
        stream.write(terms + b"\t" + line_of(document))
        count += 1
    return count


def finish(path: Path, target: Path, facts: dict[str, Any]) -> None:
    """Add the footer to the shard at ``path`` and give it its name."""
    body = path.stat().st_size
    with path.open("rb") as stream:
        check = _checksum(stream, body)
    footer = json.dumps({**facts, "crc32": check}).encode("ascii") + b"\n"
    with path.open("ab") as out:
        out.write(
            footer + b"%020d\n" % body
        )  # no fsync: what a power cut leaves unwritten fails the checks and is made again
    target.parent.mkdir(exist_ok=True)
    path.replace(target)


def facts_of(path: Path) -> dict[str, Any]:
    """The footer. Raises DamagedIndex when the shard is missing or not whole; its lines are not looked at."""
    try:
        with path.open("rb") as stream:
            facts, _ = _footer(stream)
            return facts
    except (OSError, ValueError, TypeError) as error:
        raise DamagedIndex(f"{path}: {error}") from error


def terms_of(path: Path) -> Iterator[tuple[list[str], int]]:
    """Terms of each passage and the byte offset of its line. Raises DamagedIndex when a byte was changed."""
    try:
        with path.open("rb") as stream:
            facts, body = _footer(stream)
            stream.seek(0)
            check = position = 0
            while position < body:
                line = stream.readline()
                if not line:
                    raise ValueError("cut short")
                check = zlib.crc32(line, check)
                yield line.partition(b"\t")[0].decode("utf-8").split(), position
                position += len(line)
            if check != facts["crc32"]:
                raise ValueError("its checksum is wrong")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedIndex(f"{path}: {error}") from error


class Shards:
    """Passages by position, read from the shards when asked for.

    paths: the shards in order. shard, start: shape (passages,), which shard and at which byte.
    """

    def __init__(self, paths: Sequence[Path], shard: Any, start: Any) -> None:
        self._paths, self._shard, self._start = paths, shard, start

    def __len__(self) -> int:
        return len(self._start)

    def take(self, positions: Sequence[int]) -> list[Document]:
        """Documents in the order of ``positions``; every shard is opened once. Raises DamagedIndex."""
        found: dict[int, Document] = {}
        by_shard: dict[int, list[int]] = {}
        for position in positions:
            by_shard.setdefault(int(self._shard[position]), []).append(position)
        for number, wanted in by_shard.items():
            path = self._paths[number]
            try:
                with path.open("rb") as stream:
                    for position in wanted:
                        stream.seek(int(self._start[position]))
                        found[position] = _document(stream.readline(), path)
            except OSError as error:
                raise DamagedIndex(f"{path}: {error}") from error
        return [found[p] for p in positions]


def _document(line: bytes, path: Path) -> Document:
    try:
        return document_from_line(line.partition(b"\t")[2], str(path))
    except ValueError as error:
        raise DamagedIndex(str(error)) from error


def _footer(stream: BinaryIO) -> tuple[dict[str, Any], int]:
    size = stream.seek(0, os.SEEK_END)
    if size < _TAIL:
        raise ValueError("cut short")
    stream.seek(size - _TAIL)
    body = int(stream.read(_TAIL))
    if not 0 <= body < size:
        raise ValueError("cut short")
    stream.seek(body)
    facts = json.loads(stream.read(size - _TAIL - body))
    if not isinstance(facts, dict):
        raise TypeError("no footer")
    return facts, body


def _checksum(stream: BinaryIO, length: int) -> int:
    check = 0
    while length > 0 and (block := stream.read(min(1 << 20, length))):
        check = zlib.crc32(block, check)
        length -= len(block)
    return check
