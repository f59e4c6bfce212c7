"""Files that appear whole or not at all: written beside the target under a temporary name, then renamed.

A target that ends in .gz or .xz is compressed. ``"-"`` is standard output. Devices and pipes are written directly.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from ..core.errors import InputError

STDOUT = "-"


@contextmanager
def atomic_text(path: str | PathLike[str]) -> Iterator[TextIO]:
    """A UTF-8 text stream with ``\\n`` line ends; the target changes only when the block ends without an error."""
    if str(path) == STDOUT:
        sys.stdout.flush()
        stream = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="\n", write_through=True)
        try:
            yield stream
        finally:
            stream.flush()
            stream.detach()
        return
    with atomic_bytes(path) as raw:
        text = io.TextIOWrapper(_compressed(raw, str(path)), encoding="utf-8", newline="\n")
        yield text
        text.flush()
        packed = text.detach()
        if packed is not raw:
            packed.close()


@contextmanager
def atomic_bytes(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """A binary stream; the target changes only when the block ends without an error."""
    target = Path(os.path.realpath(path))  # a link keeps being a link
    if target.exists() and not target.is_file():
        if target.is_dir():
            raise InputError(f"{path}: is a folder; give the name of a file to write")
        with target.open("wb") as stream:
            yield stream
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        stream = temporary.open("wb")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _compressed(raw: BinaryIO, path: str) -> BinaryIO:
    if path.endswith(".gz"):  # mtime 0 and no name: equal content, equal bytes
        return cast(BinaryIO, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0))
    if path.endswith(".xz"):
        return cast(BinaryIO, lzma.LZMAFile(raw, "wb"))
    return raw
