"""JSON records: one object per line (JSONL), or one array of objects, both read as a stream; and their writing.

Identifiers in files are strings or whole numbers and become strings. NaN and Infinity are not JSON and are refused.
"""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from os import PathLike
from typing import Any, TypeVar

from ..core.errors import FormatError
from .atomic import atomic_text
from .lines import DAMAGED, Bad, Source, head_text, iter_lines

T = TypeVar("T")
Record = dict[str, Any]

TEXT_KEYS = ("text", "segment", "contents", "content", "body", "passage", "document_text")
DOC_ID_KEYS = ("_id", "id", "docid", "doc_id", "docno", "pid", "passage_id", "document_id", "corpus-id", "corpus_id")
QUERY_ID_KEYS = ("_id", "qid", "query_id", "query-id", "id", "queryid")
QUERY_TEXT_KEYS = ("text", "query", "question", "query_text")


def iter_records(source: Source, bad: Bad | None = None) -> Iterator[tuple[int, Record, str]]:
    """(line number, object, its text) for JSONL or a JSON array; what is no object is malformed."""
    bad = bad or Bad()
    if is_array(source):
        yield from _array(source, bad)
        return
    for number, line in iter_lines(source, bad):
        if line.strip():
            try:
                record = parse(line)
            except ValueError as error:
                bad.line(source.name, number, str(error), line)
            else:
                yield number, record, line


def read_records(source: Source, make: Callable[[int, Record], T], bad: Bad | None = None) -> Iterator[T]:
    """``make(ordinal from 1, object)`` of each record; a ValueError in it is a malformed line."""
    for _, made in read_numbered(source, make, bad):
        yield made


def read_numbered(source: Source, make: Callable[[int, Record], T], bad: Bad | None = None) -> Iterator[tuple[int, T]]:
    """As ``read_records``, with the line on which the record begins."""
    bad = bad or Bad()
    for ordinal, (number, record, text) in enumerate(iter_records(source, bad), 1):
        try:
            made = make(ordinal, record)
        except ValueError as error:
            bad.line(source.name, number, str(error), text)
        else:
            yield number, made


def write_records(records: Iterable[Mapping[str, Any]], path: str | PathLike[str]) -> None:
    """JSONL, one object per line; the file appears when it is complete."""
    with atomic_text(path) as out:
        out.writelines(dump(record) + "\n" for record in records)


def write_array(records: Iterable[Mapping[str, Any]], path: str | PathLike[str]) -> None:
    """A JSON array, one object per line, streamed; the file appears when it is complete."""
    with atomic_text(path) as out:
        before = "[\n"
        for record in records:
            out.write(before + dump(record))
            before = ",\n"
        out.write("\n]\n" if before == ",\n" else "[]\n")


def dump(record: Any) -> str:
    """One line of JSON: readable Unicode, unless the text holds half a surrogate pair, which only an escape can
    write."""
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, default=str)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(record, allow_nan=False, default=str)
    return text


def parse(text: str) -> Record:
    """One JSON object; raises ValueError with a short reason."""
    try:
        record = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno})") from error
    except RecursionError as error:
        raise ValueError("not readable JSON (nested too deeply)") from error
    return as_object(record)


def as_object(value: Any, what: str = "a JSON object") -> Record:
    """``value`` if it is an object; raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError(f"expected {what}, found {_kind(value)}")
    return value


def as_list(value: Any, what: str) -> list[Any]:
    """``value`` if it is a list; raises ValueError."""
    if not isinstance(value, list):
        raise ValueError(f"{what}: expected a list, found {_kind(value)}")
    return value


def identifier(value: Any, what: str) -> str:
    """A string or whole number as a string that is not empty; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"{what}: expected a string or a whole number, found {_kind(value)}")
    if value == "":
        raise ValueError(f"{what} is empty")
    return str(value)


def string(value: Any, what: str) -> str:
    """``value`` if it is a string; raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{what}: expected a string, found {_kind(value)}")
    return value


def number(value: Any, what: str) -> float:
    """A finite number as a float; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{what}: expected a number, found {_kind(value)}")
    if not math.isfinite(value):
        raise ValueError(f"{what}: {value} is not a finite number")
    return float(value)


def first_key(record: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    """The first of ``keys`` that the record has."""
    return next((key for key in keys if key in record), None)


def first_of(record: Mapping[str, Any], keys: Sequence[str], what: str) -> Any:
    """The value of the first of ``keys`` that the record has; raises ValueError when it has none."""
    key = first_key(record, keys)
    if key is None:
        raise ValueError(f"no {what} (looked for {', '.join(keys)}; found {', '.join(list(record)[:8]) or 'no keys'})")
    return record[key]


def is_array(source: Source) -> bool:
    """True when the file is a JSON array rather than JSONL."""
    return head_text(source).lstrip().startswith("[")


def _array(source: Source, bad: Bad) -> Iterator[tuple[int, Record, str]]:
    """The objects of an array, decoded one at a time; the text held is one object and one chunk."""
    with closing(_Chunks(source)) as chunks:
        chunks.skip("[")
        while not chunks.ends("]"):
            line, value, text = chunks.value(_DECODER)
            if isinstance(value, dict):
                yield line, value, text
            else:
                bad.line(source.name, line, f"expected a JSON object, found {_kind(value)}", text)
            chunks.separator()


class _Chunks:
    """The text of a file as a window that grows until one JSON value fits."""

    def __init__(self, source: Source) -> None:
        self.name, self.text, self.line = source.name, "", 1
        self._stream = source.open()
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._end = False

    def more(self) -> bool:
        """Read on, as much again as is held; False at the end."""
        if self._end:
            return False
        try:
            raw = self._stream.read(max(1 << 16, len(self.text)))
            self._end = not raw
            self.text += self._decode.decode(raw, final=self._end)
        except UnicodeDecodeError as error:
            raise FormatError(
                self.name, self.line, "not UTF-8 at or after this line; convert the file to UTF-8"
            ) from error
        except DAMAGED as error:
            raise FormatError(self.name, self.line, f"the compressed file is damaged or cut short ({error})") from error
        return True

    def close(self) -> None:
        self._stream.close()

    def take(self, length: int) -> str:
        taken, self.text = self.text[:length], self.text[length:]
        self.line += taken.count("\n")
        return taken

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            self.take(len(self.text) - len(self.text.lstrip()))
            if self.text or not self.more():
                return self.text[:1]

    def skip(self, character: str) -> None:
        if self.peek() != character:
            raise FormatError(self.name, self.line, f"expected {character!r} in a JSON array", self.text[:80])
        self.take(1)

    def ends(self, character: str) -> bool:
        if self.peek() != character:
            return False
        self.take(1)
        if self.peek():
            raise FormatError(self.name, self.line, "text after the end of the JSON array", self.text[:80])
        return True

    def separator(self) -> None:
        if self.peek() == "]":
            return
        self.skip(",")
        if self.peek() == "]":
            raise FormatError(self.name, self.line, "a comma before the end of the JSON array")

    def value(self, decoder: json.JSONDecoder) -> tuple[int, Any, str]:
        self.peek()
        while True:
            try:
                value, end = decoder.raw_decode(self.text)
            except json.JSONDecodeError as error:
                if self.more():
                    continue
                line = self.line + self.text[: error.pos].count("\n")
                raise FormatError(self.name, line, f"not JSON ({error.msg})", self.text[error.pos :][:80]) from error
            except (ValueError, RecursionError) as error:
                raise FormatError(self.name, self.line, f"not JSON ({error})", self.text[:80]) from error
            if end < len(self.text) or not self.more():  # a number at the end of the window may go on
                line = self.line
                return line, value, self.take(end)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON and no score; use null or leave the field out")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), f"the number {value}" if isinstance(value, (int, float)) else type(value).__name__)


_DECODER = json.JSONDecoder(parse_constant=_refuse)
