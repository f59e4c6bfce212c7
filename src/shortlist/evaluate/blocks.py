"""Plain tables of lines at the speed of ``bytes.split``: a block at a time, cut into columns, everything stays bytes.

Only regular files take this way: the same number of columns in every line, one blank or one tab between them, UTF-8. At
anything else ``Irregular`` is raised and the caller reads the file again with the tolerant reader of ``formats``,
which knows the other layouts, names the bad line, or skips it. So nothing here decides what is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from ..formats.lines import BOM, DAMAGED, UTF16

BLOCK_BYTES = 1 << 15  # the tokens of a block then stay in the processor's cache; 1 << 18 takes twice the time
SEPARATORS = b" \t\n\r\x0b\x0c"  # what bytes.split cuts at, and C's isspace
NOT_SEPARATORS = bytes(set(range(256)) - set(SEPARATORS))


class Irregular(Exception):
    """The file is not of the plain form. Never leaves this package."""


def blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Whole lines, about BLOCK_BYTES at a time, each block ending in a line end. Irregular for a damaged file."""
    rest, first = b"", True
    while True:
        try:
            read = stream.read(BLOCK_BYTES)
        except DAMAGED as error:
            raise Irregular from error
        if first and read.startswith(UTF16):
            raise Irregular
        block = rest + (read.removeprefix(BOM) if first else read)
        first = False
        if not read:
            if block.strip():
                yield block + b"\n"
            return
        whole = block.rfind(b"\n") + 1
        rest = block[whole:]
        if whole:
            yield block[:whole]


def columns(block: bytes, width: int) -> list[list[bytes]]:
    """The block's columns. Raises Irregular unless every line has ``width`` of them.

    >>> columns(b"q1 0 d1 2\\nq1 0 d2 0\\n", 4)[2]
    [b'd1', b'd2']
    """
    lines = block.count(b"\n")
    separators = block.translate(None, NOT_SEPARATORS)
    if separators not in (line * lines for line in _regular(width)) or not _is_utf8(block):
        raise Irregular
    parts = block.split()
    if len(parts) != width * lines:
        raise Irregular
    return [parts[i::width] for i in range(width)]


def _regular(width: int) -> tuple[bytes, ...]:
    """The separators of a regular line."""
    return tuple(gap * (width - 1) + end for gap in (b" ", b"\t") for end in (b"\n", b"\r\n"))


def _is_utf8(block: bytes) -> bool:
    try:
        return block.isascii() or bool(block.decode())
    except UnicodeDecodeError:
        return False
