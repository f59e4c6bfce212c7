"""Rows in any order into rows grouped by query, on disk: for runs whose queries are not contiguous.

Queries are numbered as they appear and 32 of them share a block file; blocks are read back one after the other, so
memory holds one block (and the query ids), not the run. Within a query the lines keep their order.
"""

from __future__ import annotations

import pickle
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from .rows import Row

QUERIES_PER_BLOCK = 32  # at depth 1,000 some 10 MB of rows
ROWS_HELD = 50_000  # some 20 MB of rows before blocks are written


def regrouped(rows: Iterable[Row]) -> Iterator[Row]:
    """The same rows, all of a query together, queries in the order of their first row."""
    folder = Path(tempfile.mkdtemp(prefix="shortlist-run-"))
    try:
        yield from _blocks(folder, _spooled(folder, rows))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _spooled(folder: Path, rows: Iterable[Row]) -> dict[str, int]:
    """Write the blocks; the number of each query id."""
    numbers: dict[str, int] = {}
    held: dict[int, list[Row]] = {}
    count = 0
    for row in rows:
        number = numbers.setdefault(row.query_id, len(numbers))
        held.setdefault(number // QUERIES_PER_BLOCK, []).append(row)
        count += 1
        if count == ROWS_HELD:
            _write(folder, held)
            held, count = {}, 0
    _write(folder, held)
    return numbers


def _blocks(folder: Path, numbers: dict[str, int]) -> Iterator[Row]:
    for block in range((len(numbers) + QUERIES_PER_BLOCK - 1) // QUERIES_PER_BLOCK):
        found = _read(folder / str(block))
        found.sort(key=lambda row: numbers[row.query_id])
        yield from found


def _write(folder: Path, held: dict[int, list[Row]]) -> None:
    for block, rows in held.items():
        with (folder / str(block)).open("ab") as stream:
            pickle.dump(rows, stream)


def _read(path: Path) -> list[Row]:
    rows: list[Row] = []
    with path.open("rb") as stream:
        while stream.peek(1):
            rows += pickle.load(stream)
    return rows
