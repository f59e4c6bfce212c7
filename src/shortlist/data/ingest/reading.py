"""One file to its passages: Documents that know their file, line, page or record, and heading."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from ...core.types import Document
from .decode import decode
from .files import SourceFile
from .html import read_html
from .passages import OVERLAP, WINDOW, Counter, Span, estimate_tokens, split
from .pdf import read_pdf
from .plain import read_markdown, read_text
from .records import read_records
from .types import Extract, Skipped, Unreadable

LISTED = 20  # problems of one file that are listed one by one; more are counted


@dataclass(frozen=True)
class Splitting:
    """How texts become passages: see ``passages.split``. count: tokens of a text."""

    window: int = WINDOW
    overlap: int = OVERLAP
    count: Counter = estimate_tokens


@dataclass
class FileReport:
    """What was noticed while a file was read."""

    name: str
    notes: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    unlisted: int = 0
    documents: int = 0

    def note(self, text: str) -> None:
        """Record something that a reader of the results should know."""
        if len(self.notes) < LISTED:
            self.notes.append(text)
        else:
            self.unlisted += 1

    def problem(self, line: int, reason: str) -> None:
        """Record a record that was left out."""
        if len(self.skipped) < LISTED:
            self.skipped.append(Skipped(self.name, reason, line))
        else:
            self.unlisted += 1


def read_passages(
    file: SourceFile,
    stream: BinaryIO,
    report: FileReport,
    splitting: Splitting,
    *,
    encoding: str | None = None,
    qualify: bool = False,
) -> Iterator[Document]:
    """The passages of one file, in order, with ids that are unique in the file.

    stream: the file, open for reading. report: filled while reading. encoding: of a table that is not what it declares.
    qualify: put the file's name before the ids of records, so that they are unique among several files.
    Raises Unreadable when the file gives nothing, with the reason.
    """
    ids = _Ids(file.name, report, qualify)
    for extract in _extracts(file, stream, report, encoding):
        report.documents += 1
        passages = list(_passages(extract, file.name, ids, splitting))
        if not passages:
            if extract.first_line is None:
                raise Unreadable("no text in it")
            report.problem(extract.first_line, "an empty document")
        yield from passages
    if not report.documents:
        raise Unreadable("no text in it" if not report.skipped else f"no usable record; the first: {report.skipped[0]}")


def _extracts(file: SourceFile, stream: BinaryIO, report: FileReport, encoding: str | None) -> Iterator[Extract]:
    if file.kind in _WHOLE:
        extract, notes = _WHOLE[file.kind](stream.read())
        report.notes += notes
        yield extract
    else:
        yield from read_records(stream, file.kind, report.problem, encoding=encoding)


def _text(data: bytes) -> tuple[Extract, list[str]]:
    text, notes = decode(data)
    return read_text(text), notes


def _markdown(data: bytes) -> tuple[Extract, list[str]]:
    text, notes = decode(data)
    return read_markdown(text), notes


_WHOLE: dict[str, Callable[[bytes], tuple[Extract, list[str]]]] = {
    "text": _text, "markdown": _markdown, "html": read_html, "pdf": read_pdf,
}  # fmt: skip


class _Ids:
    """Ids of documents: the record's own, or file name (and line). A repeated id gets its line added, so that both
    stay findable."""

    def __init__(self, name: str, report: FileReport, qualify: bool) -> None:
        self._name, self._report, self._qualify = name, report, qualify
        self._lines: dict[str, int] = {}

    def document(self, extract: Extract) -> str:
        line = extract.first_line
        if line is None:
            return self._name
        wanted = extract.id or f"{self._name}:{line}"
        if extract.id and self._qualify:
            wanted = f"{self._name}:{extract.id}"
        if wanted in self._lines:
            renamed = f"{wanted}:{line}"
            self._report.note(f"line {line}: id {wanted!r} was used at line {self._lines[wanted]}; now {renamed!r}")
            wanted = renamed
        self._lines[wanted] = line
        return wanted

    def passage(self, doc_id: str, number: int, line: int | None) -> str:
        passage_id = f"{doc_id}#{number}"
        while passage_id in self._lines:  # a document bears this very name
            passage_id += "#"
        self._lines[passage_id] = line or 0
        return passage_id


def _passages(extract: Extract, name: str, ids: _Ids, splitting: Splitting) -> Iterator[Document]:
    title_tokens = splitting.count(extract.title) if extract.title else 0
    window = max(splitting.window - title_tokens, splitting.window // 2)  # title and passage are read together
    sections = [h.offset for h in extract.headings]
    overlap = min(splitting.overlap, window - 1)
    spans = split(extract.text, window=window, overlap=overlap, count=splitting.count, sections=sections)
    if not spans and extract.title and extract.first_line is not None:
        spans = [Span(0, 0)]  # a record that is only a title is still a text
    doc_id = ids.document(extract)
    places = _Places(extract)
    for number, span in enumerate(spans, 1):
        metadata: dict[str, object] = {"file": name, "doc_id": doc_id, **places.of(span)}
        if len(spans) > 1:
            metadata["passage"], metadata["passages"] = number, len(spans)
        if extract.fields:
            metadata["fields"] = dict(extract.fields)
        passage_id = doc_id if len(spans) == 1 else ids.passage(doc_id, number, extract.first_line)
        yield Document(passage_id, extract.text[span.start : span.end], extract.title, metadata=metadata)


class _Places:
    """Where a span of a text stands: character offsets, and line, page, record line and heading where these exist."""

    def __init__(self, extract: Extract) -> None:
        self._extract = extract
        self._heading_starts = [h.offset for h in extract.headings]
        self._line, self._counted = 1, 0  # spans come in order, so lines are counted once

    def of(self, span: Span) -> dict[str, object]:
        place: dict[str, object] = {"start": span.start, "end": span.end}
        extract = self._extract
        if extract.first_line is not None:
            place["line"] = extract.first_line
        if extract.lines:
            place["line"] = self._line_of(span.start)
        if extract.pages:
            place["page"] = bisect.bisect_right(extract.pages, span.start)
            last = bisect.bisect_right(extract.pages, span.end - 1)
            if last != place["page"]:
                place["last_page"] = last
        above = bisect.bisect_right(self._heading_starts, span.start)
        if above:
            place["heading"] = extract.headings[above - 1].text
        return place

    def _line_of(self, offset: int) -> int:
        text = self._extract.text
        if offset < self._counted:
            self._line, self._counted = 1, 0
        self._line += text.count("\n", self._counted, offset) or text.count("\r", self._counted, offset) * (
            "\n" not in text
        )
        self._counted = offset
        return self._line
