"""Bytes to text: byte order marks, UTF-8, and Windows-1252 as the last resort, which is noted. Binary content is
refused.

Does not guess among legacy encodings: a text in KOI8-R or Shift-JIS comes out as Windows-1252 nonsense, with the note
that tells.
"""

from __future__ import annotations

import codecs

from .types import Unreadable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 8192
_CONTROL = bytes(c for c in range(32) if c not in b"\t\n\r\f\x1b\x0b\x08")


def encoding_of(head: bytes) -> str:
    """The encoding that the first bytes declare, else UTF-8. Raises Unreadable for binary content.

    >>> encoding_of(b"plain"), encoding_of("\\ufeffx".encode("utf-16-le"))
    ('utf-8', 'utf-16')
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    sample = head[:_SAMPLE]
    if b"\0" in sample:
        raise Unreadable("binary content (a zero byte)")
    if sample and len(sample.translate(None, _CONTROL)) < 0.95 * len(sample):
        raise Unreadable("binary content (control characters)")
    return "utf-8"


def decode(data: bytes) -> tuple[str, list[str]]:
    """Text and notes. Line ends stay as they are, so that offsets are those of the decoded file.

    >>> decode("naïve".encode("cp1252"))
    ('naïve', ['not valid UTF-8 (byte 3); read as Windows-1252'])
    """
    encoding = encoding_of(data[:_SAMPLE])
    try:
        return data.decode(encoding), []
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise Unreadable(f"damaged {encoding.upper()} (byte {error.start + 1})") from error
        return data.decode("cp1252", "replace"), [f"not valid UTF-8 (byte {error.start + 1}); read as Windows-1252"]


def clean(text: str) -> str:
    """Half surrogate pairs, which no file can hold, become U+FFFD; damaged PDFs and JSON escapes bring them.

    >>> clean("a\\ud800b")
    'a\ufffdb'
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\ufffd\ufffd\ufffd", "\ufffd")
    return text
