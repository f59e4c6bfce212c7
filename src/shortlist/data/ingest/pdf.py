"""PDF files: the text of each page, and where each page begins.

Reads what the file says in text; a scan has none and is reported so. Reading order in columns is as pypdf finds it.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from .decode import clean
from .quiet import quiet
from .types import Extract, Unreadable

# A damaged PDF fails anywhere in the parser: this is what pypdf has been seen to raise, beside its own errors.
_DAMAGE = (
    ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError, ArithmeticError, OSError, EOFError,
    RecursionError, NotImplementedError, MemoryError, struct.error, zlib.error,
)  # fmt: skip


def read_pdf(data: bytes) -> tuple[Extract, list[str]]:
    """Pages joined by a blank line. Raises Unreadable for encrypted, damaged and text-less files."""
    import pypdf

    with quiet("pypdf"):
        return _read(data, pypdf, pypdf.errors.DependencyError, (pypdf.errors.PyPdfError, *_DAMAGE))


def _read(
    data: bytes, pypdf: Any, missing: type[Exception], errors: tuple[type[Exception], ...]
) -> tuple[Extract, list[str]]:
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("encrypted; it needs a password")
        count = len(reader.pages)
    except Unreadable:
        raise
    except missing as error:
        raise Unreadable(f"encrypted, and the package that decrypts it is not installed ({error})") from error
    except errors as error:
        raise Unreadable(f"damaged PDF ({type(error).__name__}: {_short(error)})") from error
    texts, notes = _pages(reader, count, errors)
    if not any(t.strip() for t in texts):
        why = "; ".join(notes) or "scanned? it needs character recognition"
        raise Unreadable(f"no text on any of its {count} pages ({why})")
    blank = [number for number, text in enumerate(texts, 1) if not text.strip()]
    if blank:
        notes.append(f"no text on page{'s' if len(blank) > 1 else ''} {', '.join(map(str, blank[:10]))}")
    starts, position = [], 0
    for text in texts:
        starts.append(position)
        position += len(text) + 2
    return Extract("\n\n".join(texts), title=_title(reader, errors), pages=tuple(starts)), notes


def _pages(reader: Any, count: int, errors: tuple[type[Exception], ...]) -> tuple[list[str], list[str]]:
    texts, notes = [], []
    for number in range(count):
        try:
            texts.append(clean(reader.pages[number].extract_text()))
        except errors as error:
            texts.append("")
            notes.append(f"page {number + 1} is damaged ({type(error).__name__}: {_short(error)})")
    return texts, notes


def _title(reader: Any, errors: tuple[type[Exception], ...]) -> str | None:
    try:
        title = reader.metadata.title if reader.metadata else None
    except errors:
        return None
    return clean(str(title)).strip() or None if title else None


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:100]
