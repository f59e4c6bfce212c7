"""Collections of documents, one record each: JSONL of any project, CSV/TSV with a header, MS MARCO's bare TSV.

A layout turns one record's text into a Document; it is guessed from the beginning of the file. Fields that are not
id, title, text or image become ``metadata``. Sources: BEIR, Tevatron and FlagEmbedding corpora, Pyserini's
``contents``, MS MARCO ``collection.tsv`` (pid, text) and ``msmarco-docs.tsv`` (id, url, title, body).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..core.errors import FormatError, InputError
from ..core.types import Document
from .lines import Bad, Readable, Source, as_source, head_text, not_utf8, placed_lines
from .records import (
    DOC_ID_KEYS,
    TEXT_KEYS,
    Record,
    as_object,
    first_key,
    identifier,
    is_array,
    iter_records,
    parse,
    string,
)
from .tables import iter_table, split_cells

Columns = Mapping[str, str]
"""Which field is what: any of ``id``, ``text``, ``title``; the rest is guessed."""
DELIMITERS = ("\t", ",", ";")
IMAGE_KEYS = ("image", "images", "document_image")


class Placed(NamedTuple):
    """A document, where its record begins and how long it is, in decompressed bytes; offset -1 inside a JSON array."""

    line: int
    offset: int
    length: int
    document: Document


@dataclass(frozen=True)
class JsonLayout:
    """JSON objects. ``None`` means the first known key that the record has."""

    id: str | None = None
    text: str | None = None
    title: str | None = None

    def document(self, text: str, default_id: str) -> Document:
        """The record's document; raises ValueError for what is missing or of the wrong type."""
        return self.build(parse(text), default_id)

    def build(self, record: Record, default_id: str) -> Document:
        """As ``document``, from the decoded object. A record without an id gets ``default_id``."""
        id_key = self.id or first_key(record, DOC_ID_KEYS)
        text_key = self.text or first_key(record, TEXT_KEYS)
        title_key = self.title or "title"
        if id_key is not None and id_key not in record and self.id:
            raise ValueError(f"no field {id_key!r} for the id; the record has {', '.join(record)}")
        image_key = first_key(record, IMAGE_KEYS)
        if (text_key is None or text_key not in record) and title_key not in record and image_key is None:
            looked = self.text or ", ".join(TEXT_KEYS)
            raise ValueError(f"no text (looked for {looked}; found {', '.join(list(record)[:8]) or 'no fields'})")
        used = {id_key, text_key, title_key, image_key}
        return Document(
            identifier(record[id_key], f"field {id_key!r}") if id_key is not None else default_id,
            string(record.get(text_key, "") if text_key else "", f"field {text_key!r}"),
            string(record.get(title_key) or "", f"field {title_key!r}") or None,
            _images(record[image_key] if image_key else None),
            _metadata(record, used),
        )


@dataclass(frozen=True)
class BareLayout:
    """Tab-separated lines without header or quoting; ``fields`` names the columns."""

    fields: tuple[str, ...] = ("id", "text")

    def document(self, text: str, default_id: str) -> Document:
        """The line's document; the last column keeps further tabs. Raises ValueError for missing columns."""
        cells = text.split("\t", len(self.fields) - 1)
        if len(cells) != len(self.fields):
            raise ValueError(
                f"expected {len(self.fields)} columns ({', '.join(self.fields)}) with tabs, found {len(cells)}"
            )
        row = dict(zip(self.fields, cells, strict=True))
        if not row["id"]:
            raise ValueError("the id is empty")
        rest = {k: v for k, v in row.items() if k not in ("id", "text", "title")}
        return Document(row["id"], row["text"], row.get("title") or None, metadata=rest)


@dataclass(frozen=True)
class TableLayout:
    """CSV or TSV with a header. ``id`` None: the file has no such column and documents are numbered."""

    header: tuple[str, ...]
    delimiter: str
    id: str | None
    text: str
    title: str | None

    def document(self, text: str, default_id: str) -> Document:
        """The record's document; raises ValueError for broken quoting or a wrong number of cells."""
        return self.build(split_cells(text, self.delimiter), default_id)

    def build(self, cells: list[str], default_id: str) -> Document:
        """As ``document``, from the cells."""
        if len(cells) != len(self.header):
            raise ValueError(f"expected {len(self.header)} cells ({', '.join(self.header)}), found {len(cells)}")
        row = dict(zip(self.header, cells, strict=True))
        doc_id = row[self.id] if self.id is not None else default_id
        if not doc_id:
            raise ValueError(f"the id (column {self.id!r}) is empty")
        rest = {k: v for k, v in row.items() if k not in (self.id, self.text, self.title) and v}
        return Document(doc_id, row[self.text], (row[self.title] or None) if self.title else None, metadata=rest)


Layout = JsonLayout | BareLayout | TableLayout


def iter_documents(
    path: Readable, *, columns: Columns | None = None, layout: Layout | None = None, bad: Bad | None = None
) -> Iterator[Document]:
    """The documents of a collection in file order, one at a time; ids are not checked for repetition (``Collection``
    does).

    columns: names of the ``id``, ``text`` and ``title`` fields where guessing is not wanted.
    Raises FormatError (path:line) for a malformed record, InputError when the format cannot be told.
    """
    source = as_source(path)
    for placed in iter_placed(source, layout or guess_layout(source, columns), bad):
        yield placed.document


def iter_placed(source: Source, layout: Layout, bad: Bad | None = None) -> Iterator[Placed]:
    """Documents with their places. Documents without an id are numbered from 1."""
    bad = bad or Bad()
    if isinstance(layout, TableLayout):
        yield from _tables(source, layout, bad)
    elif isinstance(layout, JsonLayout) and is_array(source):
        for ordinal, (number, record, text) in enumerate(iter_records(source, bad), 1):
            try:
                yield Placed(number, -1, 0, layout.build(record, str(ordinal)))
            except ValueError as error:
                bad.line(source.name, number, str(error), text)
    else:
        yield from _lines(source, layout, bad)


def guess_layout(source: Source, columns: Columns | None = None) -> Layout:
    """The layout of a file from its beginning. Raises InputError when it fits none."""
    columns = dict(columns or {})
    unknown = set(columns) - {"id", "text", "title"}
    if unknown:
        raise InputError(f"columns names {sorted(unknown)}; only 'id', 'text' and 'title' can be named")
    head = head_text(source)
    if not head.strip() or head.lstrip()[0] in "{[":
        return JsonLayout(columns.get("id"), columns.get("text"), columns.get("title"))
    first = next(line for line in head.split("\n") if line.strip())
    for delimiter in DELIMITERS:
        if delimiter in first:
            table = _table_layout(first, delimiter, columns, source.name)
            if table is not None:
                return table
    if first.count("\t") in (1, 3) and not columns:
        return BareLayout() if first.count("\t") == 1 else BareLayout(("id", "url", "title", "text"))
    raise FormatError(
        source.name,
        1,
        "not a collection of documents: expected JSONL, a CSV/TSV header with a text column "
        f"({', '.join(TEXT_KEYS[:4])} ...; others by columns=), or 'id<tab>text'",
        first,
    )


def table_layout(first: str) -> TableLayout | None:
    """The layout that a header line announces; ``None`` when it is no header with a text column."""
    layouts = (_table_layout(first, delimiter, {}, "") for delimiter in DELIMITERS if delimiter in first)
    return next((layout for layout in layouts if layout is not None), None)


def _table_layout(first: str, delimiter: str, columns: Columns, name: str) -> TableLayout | None:
    try:
        header = split_cells(first, delimiter)
    except ValueError:
        return None
    lower = {cell.strip().lower(): cell for cell in header}
    absent = [value for value in columns.values() if value not in header]
    if absent and columns:
        raise FormatError(name, 1, f"no column named {absent[0]!r}", first)
    text = columns.get("text") or next((lower[key] for key in TEXT_KEYS if key in lower), None)
    if text is None or len(set(header)) != len(header):
        return None
    doc_id = columns.get("id") or next((lower[key] for key in DOC_ID_KEYS if key in lower), None)
    return TableLayout(tuple(header), delimiter, doc_id, text, columns.get("title") or lower.get("title"))


def _lines(source: Source, layout: Layout, bad: Bad) -> Iterator[Placed]:
    ordinal = 0
    for number, offset, raw in placed_lines(source):
        if not raw.strip():
            continue
        ordinal += 1
        try:
            yield Placed(number, offset, len(raw), layout.document(raw.decode(), str(ordinal)))
        except UnicodeDecodeError as error:
            bad.line(source.name, number, *not_utf8(raw, error))
        except ValueError as error:
            bad.line(source.name, number, str(error), raw.decode("utf-8", "replace"))


def _tables(source: Source, layout: TableLayout, bad: Bad) -> Iterator[Placed]:
    rows = iter_table(source, layout.delimiter, bad)
    next(rows, None)
    for ordinal, row in enumerate(rows, 1):
        try:
            yield Placed(row.line, row.offset, row.length, layout.build(row.cells, str(ordinal)))
        except ValueError as error:
            bad.line(source.name, row.line, str(error), layout.delimiter.join(row.cells))


def _images(value: object) -> tuple[str, ...]:
    if not value:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(string(item, "image") for item in value)
    raise ValueError("field 'image': expected a path or a list of paths")


def _metadata(record: Record, used: set[str | None]) -> dict[str, object]:
    rest = {key: value for key, value in record.items() if key not in used and key != "metadata"}
    inner = record.get("metadata")
    return {**as_object(inner, "an object under 'metadata'"), **rest} if inner else rest
