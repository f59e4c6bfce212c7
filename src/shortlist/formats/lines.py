"""Text files as numbered lines: plain, .gz, .xz or standard input, and what to do with a line that is malformed.

Compression is told by the first bytes, not by the name, so that ``zcat x | ...`` and a renamed file both work. Text
is UTF-8; a byte-order mark and CRLF are taken off. This module does not know what the lines mean.
"""

from __future__ import annotations

import gzip
import io
import lzma
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import BinaryIO, cast

from ..core.errors import FormatError, InputError

STDIN = "-"
BOM = b"\xef\xbb\xbf"
UTF16 = (b"\xff\xfe", b"\xfe\xff")
HEAD_BYTES = 1 << 18  # enough for a first record of every format; a longer first line is read on to its end
LONGEST_HEAD = 1 << 26


@dataclass
class Bad:
    """What to do with a malformed line: raise (the default), or skip it, count it and keep the first examples.

    noticed: things that are no error but that a reader wants to report, by name (tied scores, fields without a place
    ...).

    >>> bad = Bad(skip=True)
    >>> bad.line("run.trec", 3, "expected 6 columns, found 5", "q1 Q0 d1 1 2.0")
    >>> bad.count, bad.examples
    (1, ["run.trec:3: expected 6 columns, found 5: 'q1 Q0 d1 1 2.0'"])
    """

    skip: bool = False
    keep: int = 5
    count: int = 0
    examples: list[str] = field(default_factory=list)
    noticed: Counter[str] = field(default_factory=Counter)

    def line(self, path: str, number: int, problem: str, text: str = "") -> None:
        """Raise FormatError, or count the line."""
        self.error(FormatError(path, number, problem, text))

    def error(self, error: InputError) -> None:
        """Raise ``error``, or count it."""
        if not self.skip:
            raise error
        self.count += 1
        if len(self.examples) < self.keep:
            self.examples.append(str(error))


class Source:
    """A file, or standard input for ``"-"``, that can show its beginning before it is read.

    Raises InputError when there is no such file, when it is a folder, or when its text is not in UTF-8.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = str(path)
        self.name = "<stdin>" if self.path == STDIN else self.path
        self._stream: BinaryIO | None = None
        self._head: bytes | None = None

    def head(self) -> bytes:
        """The beginning, decompressed: whole lines, at least one, unless the file is shorter. Does not use up the
        source."""
        if self._head is None:
            stream = self._opened()
            try:
                head = stream.read(HEAD_BYTES)
                head += stream.readline(LONGEST_HEAD) if len(head) == HEAD_BYTES else b""
            except DAMAGED as error:
                raise FormatError(self.name, 1, f"the compressed file is damaged or cut short ({error})") from error
            self._head = head
            if self.path == STDIN:
                self._stream = stream
            else:
                stream.close()
        return self._head

    def is_packed(self) -> bool:
        """True for a compressed file."""
        with self.open() as stream:
            return isinstance(stream, Unpacked)

    def open(self) -> BinaryIO:
        """The decompressed bytes from the beginning. Standard input can be opened once."""
        if self._stream is not None:
            rest, self._stream = self._stream, None
            return cast(BinaryIO, io.BufferedReader(_Joined(self._head or b"", rest)))
        if self.path == STDIN and self._head is not None:
            raise InputError("standard input can be read only once; write it to a file first")
        if self.path == STDIN:
            self._head = b""
        return self._opened()

    def _opened(self) -> BinaryIO:
        if self.path == STDIN:
            return _decompressed(io.BufferedReader(cast(io.RawIOBase, sys.stdin.buffer)))
        try:
            return _decompressed(Path(self.path).open("rb"))
        except FileNotFoundError as error:
            raise InputError(f"{self.path}: no such file") from error
        except IsADirectoryError as error:
            raise InputError(f"{self.path}: is a folder; give a file in it") from error
        except PermissionError as error:
            raise InputError(f"{self.path}: may not be read: {error.strerror}") from error


DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError)
"""What the standard library raises for a compressed file that is broken."""


class _Joined(io.RawIOBase):
    """A held beginning followed by the rest of a stream that cannot go back."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = io.BytesIO(head), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        data = self._head.read(len(view)) or self._rest.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._rest.close()
        super().close()


class Unpacked(io.BufferedReader):
    """A decompressed stream that closes the packed one as well, which the standard library leaves open."""

    def __init__(self, unpacked: io.RawIOBase, packed: io.BufferedReader) -> None:
        super().__init__(unpacked, 1 << 16)
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


def _decompressed(stream: io.BufferedReader) -> BinaryIO:
    start = stream.peek(6)[:6]
    if start.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, Unpacked(cast(io.RawIOBase, gzip.GzipFile(fileobj=stream)), stream))
    if start.startswith(b"\xfd7zXZ\x00"):
        return cast(BinaryIO, Unpacked(cast(io.RawIOBase, lzma.LZMAFile(stream)), stream))
    return cast(BinaryIO, stream)


Readable = str | PathLike[str] | Source
"""What every reader accepts: a path, ``"-"`` for standard input, or a Source that was opened for guessing."""


def as_source(path: Readable) -> Source:
    """``path`` as a Source, unless it is one."""
    return path if isinstance(path, Source) else Source(path)


def placed_lines(source: Source) -> Iterator[tuple[int, int, bytes]]:
    """(line number from 1, byte offset, bytes without line end), in file order, without the byte-order mark.

    The offset counts decompressed bytes; ``offset + len(bytes)`` is where the line's text ends.
    """
    number = offset = 0
    with source.open() as stream:
        try:
            for number, raw in enumerate(stream, 1):
                end = offset + len(raw)
                if number == 1:
                    raw = without_mark(source.name, raw)
                    offset = end - len(raw)
                yield number, offset, raw.rstrip(b"\r\n")
                offset = end
        except DAMAGED as error:
            problem = f"the compressed file is damaged or cut short after this line ({error})"
            raise FormatError(source.name, number, problem) from error


def raw_lines(source: Source) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, bytes without line end), in file order, without the byte-order mark."""
    for number, _, raw in placed_lines(source):
        yield number, raw


def iter_lines(source: Source, bad: Bad | None = None) -> Iterator[tuple[int, str]]:
    """(line number from 1, text without line end). A line that is not UTF-8 is malformed."""
    bad = bad or Bad()
    for number, raw in raw_lines(source):
        try:
            yield number, raw.decode()
        except UnicodeDecodeError as error:
            bad.line(source.name, number, *not_utf8(raw, error))


def not_utf8(raw: bytes, error: UnicodeDecodeError) -> tuple[str, str]:
    """Problem and offending text for a line that could not be decoded."""
    problem = f"not UTF-8 (byte 0x{raw[error.start]:02x} at column {error.start + 1}); convert the file to UTF-8"
    return problem, raw.decode("utf-8", "backslashreplace")


def head_text(source: Source) -> str:
    """The beginning of the file as text, for guessing its format; undecodable bytes are replaced."""
    head = source.head()
    return without_mark(source.name, head).decode("utf-8", "replace").replace("\r\n", "\n")


def without_mark(name: str, raw: bytes) -> bytes:
    """The first bytes of a file without a UTF-8 byte-order mark; raises FormatError for UTF-16."""
    if raw.startswith(UTF16):
        raise FormatError(name, 1, "the file is in UTF-16; convert it to UTF-8")
    return raw.removeprefix(BOM)
