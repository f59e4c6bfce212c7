"""Collections with one document per record: JSON lines, CSV and TSV, plain or gzipped.

Field names are those in use: BEIR, MS MARCO, Anserini, Tevatron, Rankify and what people write by hand (see ``TEXT``
and its neighbours). A TSV is not quoted (MS MARCO); a CSV is. A table without a header line is read as ``id, text`` or
``text``. A bad record is reported with its line and left out; the rest of the file is read.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, BinaryIO, cast

from .decode import clean, encoding_of
from .types import Extract, Unreadable

ID = ("_id", "id", "docid", "doc_id", "pid", "passage_id", "document_id")
TEXT = ("text", "contents", "content", "passage", "body", "document", "abstract")
TITLE = ("title", "headline")
_MAX_FIELD = 2**31 - 1

Problem = Callable[[int, str], None]
"""Told the line and what is wrong there."""


def read_records(stream: BinaryIO, kind: str, problem: Problem, *, encoding: str | None = None) -> Iterator[Extract]:
    """Records in order. kind: jsonl, csv or tsv, with ``.gz`` when compressed.

    Raises Unreadable when nothing can be had from the file, and UnicodeDecodeError (tables only) when it is not in
    ``encoding``, which by default is what its first bytes declare.
    """
    kind, _, packed = kind.partition(".")
    raw = cast(BinaryIO, gzip.GzipFile(fileobj=stream, mode="rb")) if packed else stream
    try:
        buffered = io.BufferedReader(cast(Any, raw)) if packed else raw
        head = _peek(buffered)
        encoding = encoding or encoding_of(head)
        if kind == "jsonl":
            yield from _json_lines(_lines(buffered, encoding), problem)
        else:
            text = io.TextIOWrapper(buffered, encoding=encoding, newline="")
            yield from _table(text, kind, problem)
            text.detach()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Unreadable(f"damaged gzip ({error})") from error


def _peek(stream: Any) -> bytes:
    return bytes(stream.peek(8192)[:8192])


def _lines(stream: BinaryIO, encoding: str) -> Iterable[bytes | str]:
    """Bytes for UTF-8, so that one bad line stays one bad line."""
    return stream if encoding in ("utf-8", "utf-8-sig") else io.TextIOWrapper(stream, encoding=encoding, newline="\n")


def _json_lines(lines: Iterable[bytes | str], problem: Problem) -> Iterator[Extract]:
    for number, line in enumerate(lines, 1):
        if number == 1 and isinstance(line, bytes):
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except UnicodeDecodeError as error:
            problem(number, f"not valid UTF-8 (byte {error.start + 1} of the line)")
            continue
        except (ValueError, RecursionError) as error:
            problem(number, f"not JSON ({error})")
            continue
        if isinstance(record, str):
            record = {"text": record}
        if not isinstance(record, dict):
            problem(number, f"a JSON {type(record).__name__}; expected an object with a text")
            continue
        extract = _extract(record, number)
        if extract is None:
            problem(number, f"no text among its fields ({_names(record)}); expected one of {', '.join(TEXT)}")
        else:
            yield extract


def _table(text: io.TextIOWrapper, kind: str, problem: Problem) -> Iterator[Extract]:
    csv.field_size_limit(_MAX_FIELD)  # process-wide in the csv module; its default refuses texts over 128 KB
    dialect: Any = csv.excel if kind == "csv" else csv.excel_tab
    rows = csv.reader(text, dialect, quoting=csv.QUOTE_MINIMAL if kind == "csv" else csv.QUOTE_NONE)
    numbered = _numbered(rows, problem)
    first = next(numbered, None)
    if first is None:
        return
    names = [name.strip().removeprefix("\ufeff").lower() for name in first[1]]
    if not any(name in TEXT for name in names):
        if len(names) > 2:
            known = ", ".join(TEXT)
            raise Unreadable(f"no text column (columns: {', '.join(first[1])[:200]}); expected one of {known}")
        names, numbered = [["text"], ["id", "text"]][len(names) - 1], chain([first], numbered)
    for line, row in numbered:
        if len(row) != len(names):
            problem(line, f"{len(row)} columns, expected {len(names)}")
            continue
        extract = _extract(dict(zip(names, row, strict=True)), line)
        if extract is not None:
            yield extract


def _numbered(rows: Any, problem: Problem) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line that each begins at; empty lines are passed over."""
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            problem(line, f"not readable as a table ({error})")
            continue
        if row is None:
            return
        if row:
            yield line, row


def _extract(record: Mapping[str, Any], line: int) -> Extract | None:
    """None when there is no text field at all; an empty text is a text."""
    text_name = next((n for n in TEXT if _is_text(record.get(n))), None)
    if text_name is None:
        return None
    id_name = next((n for n in ID if isinstance(record.get(n), (str, int)) and record[n] != ""), None)
    title_name = next((n for n in TITLE if isinstance(record.get(n), str)), None)
    used = {text_name, id_name, title_name}
    return Extract(
        clean(_joined(record[text_name])),
        clean(str(record[id_name])) if id_name else "",
        clean(record[title_name]).strip() or None if title_name else None,
        first_line=line,
        fields={k: v for k, v in record.items() if k not in used},
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value))


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "\n".join(value)


def _names(record: Mapping[str, Any]) -> str:
    return ", ".join(map(str, list(record)[:8])) or "none"
