"""A byte-offset index of a collection: 20 bytes per document, mapped from disk, so that memory does not grow with the
collection.

The file is one JSON line (what it was made from) and three arrays sorted by id hash: 64-bit hashes, 64-bit offsets,
32-bit lengths. Ids themselves are not stored: the record that is found is parsed and its id compared. It is rebuilt
when the data's size, time, first or last bytes or the layout changed. This module does not know formats: it is given
(line, offset, length, id).
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import InputError
from ..formats.atomic import atomic_bytes

VERSION = 1
PROBE = 1 << 16


@dataclass(frozen=True)
class Offsets:
    """Sorted id hashes with the places of their records: arrays of equal length n, uint64, uint64 and uint32."""

    hashes: Any
    offsets: Any
    lengths: Any

    def __len__(self) -> int:
        return len(self.hashes)

    def find(self, doc_id: str) -> list[tuple[int, int]]:
        """(offset, length) of every record whose id has this hash: none, one, or (in theory) more."""
        wanted = np.uint64(id_hash(doc_id))
        first = int(np.searchsorted(self.hashes, wanted))
        found = []
        while first < len(self.hashes) and self.hashes[first] == wanted:
            found.append((int(self.offsets[first]), int(self.lengths[first])))
            first += 1
        return found


def id_hash(doc_id: str) -> int:
    """64 bits of the id, the same in every process."""
    return int.from_bytes(hashlib.blake2b(doc_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def fingerprint(path: Path, layout: object) -> dict[str, Any]:
    """What an index is valid for."""
    stat = path.stat()
    with path.open("rb") as stream:
        head = stream.read(PROBE)
        stream.seek(max(0, stat.st_size - PROBE))
        tail = stream.read(PROBE)
    digest = hashlib.blake2b(head + tail, digest_size=16).hexdigest()
    return {"v": VERSION, "size": stat.st_size, "mtime": stat.st_mtime_ns, "ends": digest, "layout": repr(layout)}


def build(records: Iterable[tuple[int, int, int, str]], name: str) -> Offsets:
    """The index of (line, offset, length, id) records. Raises InputError when an id comes twice."""
    hashes, offsets, lengths = array("Q"), array("Q"), array("I")
    for line, offset, length, doc_id in records:
        if length >= 1 << 32:
            raise InputError(f"{name}:{line}: the record is longer than 4 GiB")
        hashes.append(id_hash(doc_id))
        offsets.append(offset)
        lengths.append(length)
    found = np.frombuffer(hashes, dtype=np.uint64) if hashes else np.empty(0, np.uint64)
    order = np.argsort(found, kind="stable")
    places = np.frombuffer(offsets, dtype=np.uint64) if offsets else np.empty(0, np.uint64)
    sizes = np.frombuffer(lengths, dtype=np.uint32) if lengths else np.empty(0, np.uint32)
    return Offsets(found[order], places[order], sizes[order])


def save(index: Offsets, path: Path, made_from: dict[str, Any]) -> None:
    """Write the index; it appears when it is complete."""
    header = json.dumps({**made_from, "n": len(index)}).encode()
    header += b" " * (-(len(header) + 1) % 8) + b"\n"  # the arrays begin at a multiple of eight
    with atomic_bytes(path) as out:
        out.write(header)
        for values in (index.hashes, index.offsets, index.lengths):
            out.write(np.ascontiguousarray(values).tobytes())


def load(path: Path, made_from: dict[str, Any]) -> Offsets | None:
    """The index if it is there, complete and made from the same data; otherwise ``None``."""
    try:
        with path.open("rb") as stream:
            raw = stream.readline(1 << 16)
        header = json.loads(raw)
    except (OSError, ValueError):
        return None
    n = header.pop("n", -1) if isinstance(header, dict) else -1
    if header != made_from or path.stat().st_size != len(raw) + 20 * n:
        return None
    if n == 0:
        return build((), "")
    mapped = np.memmap(path, dtype=np.uint8, mode="r")[len(raw) :]
    return Offsets(
        mapped[: 8 * n].view(np.uint64), mapped[8 * n : 16 * n].view(np.uint64), mapped[16 * n :].view(np.uint32)
    )
