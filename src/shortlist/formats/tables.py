"""CSV and TSV records with a header, each with its place in the file; quoted fields may hold line ends.

The standard csv module reads them, strictly: a stray quote is an error with its line, not a swallowed paragraph. CRLF
inside a quoted field is read as a line feed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .lines import Bad, Source, not_utf8, placed_lines

LONGEST_FIELD = 1 << 28  # the csv module's own limit of 128 KiB is shorter than real documents


class TableRow(NamedTuple):
    """A record: its first line, byte offset, byte length and cells."""

    line: int
    offset: int
    length: int
    cells: list[str]


def iter_table(source: Source, delimiter: str, bad: Bad | None = None) -> Iterator[TableRow]:
    """Every record, the header first. Blank lines are left out; a broken quote is malformed."""
    bad = bad or Bad()
    lines = _Lines(source, bad)
    reader = _reader(lines, delimiter)
    while True:
        lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad.line(source.name, lines.first or 1, f"broken quoting ({error})", lines.shown)
            reader = _reader(lines, delimiter)
            continue
        if cells and lines.first is not None:
            yield TableRow(lines.first, lines.start, lines.end - lines.start, cells)


def table_line(cells: Iterable[object], delimiter: str) -> str:
    """One record with its line end; cells are quoted where they must be, also for a lone carriage return."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerow(cells)  # the module quotes what is in it
    return buffer.getvalue()[:-2] + "\n"


def split_cells(text: str, delimiter: str) -> list[str]:
    """The cells of one record's text; raises ValueError for broken quoting."""
    try:
        return next(_reader(iter([line.rstrip("\r") + "\n" for line in text.split("\n")]), delimiter), [])
    except csv.Error as error:
        raise ValueError(f"broken quoting ({error})") from error


def _reader(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))
    return csv.reader(lines, delimiter=delimiter, strict=True)


class _Lines(Iterator[str]):
    """Decoded lines for the csv module, remembering where the record under way began and ended."""

    def __init__(self, source: Source, bad: Bad) -> None:
        self._placed, self._name, self._bad = placed_lines(source), source.name, bad
        self.begin()

    def begin(self) -> None:
        self.first: int | None = None
        self.start = self.end = 0
        self.shown = ""

    def __next__(self) -> str:
        for number, offset, raw in self._placed:
            try:
                text = raw.decode()
            except UnicodeDecodeError as error:
                self._bad.line(self._name, number, *not_utf8(raw, error))
                continue
            if self.first is None:
                self.first, self.start, self.shown = number, offset, text
            self.end = offset + len(raw)
            return text + "\n"
        raise StopIteration
