"""TREC topics: ``<top> <num> <title> <desc> <narr> </top>`` and the XML of later tracks (``<topic number="1">``).

The fields are read by their tags, closed or not, without their labels ("Number:", "Description:"). Topic files are
small (hundreds of queries) and are read whole. Source: TREC ad hoc topics 51-450, Robust 2004, TREC-COVID, Clinical
Trials 2021.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Literal

from ..core.errors import FormatError
from ..core.types import Query
from .atomic import atomic_text
from .lines import Readable, Source, as_source, iter_lines
from .run import writable

Field = Literal["title", "desc", "narr", "title+desc"]

_OPEN = re.compile(r"<top(?:ic)?\b[^>]*>", re.I)
_CLOSE = re.compile(r"</top(?:ic)?\s*>", re.I)
_NUMBER = re.compile(r"""\bnumber\s*=\s*["']?([^"'>\s]+)""", re.I)
_FIELD = re.compile(r"<(num|title|desc|narr|query|question|narrative|description)\b[^>]*>", re.I)
_LABEL = re.compile(r"^\s*(?:Number|Topic|Description|Narrative)\s*:", re.I)
_NAMES = {"query": "title", "question": "desc", "description": "desc", "narrative": "narr"}


def is_topics(head: str) -> bool:
    """True for the beginning of a topic file."""
    return bool(_OPEN.search(head[:5000])) and head.lstrip().startswith("<")


def read_topics(path: Readable, *, field: Field = "title") -> list[Query]:
    """The topics as queries; ``field`` is which of their texts to take."""
    return [query for _, query in iter_topics(as_source(path), field=field)]


def iter_topics(source: Source, *, field: Field = "title") -> Iterator[tuple[int, Query]]:
    """(line where the topic begins, query). Raises FormatError for a topic without number, end or wanted text."""
    text = "\n".join(line for _, line in iter_lines(source))
    for start in _OPEN.finditer(text):
        line = text.count("\n", 0, start.start()) + 1
        end = _CLOSE.search(text, start.end())
        following = _OPEN.search(text, start.end())
        if end is None or (following is not None and following.start() < end.start()):
            raise FormatError(source.name, line, "the topic has no end tag", start[0])
        fields = _fields(text[start.end() : end.start()])
        attribute = _NUMBER.search(start[0])
        number = attribute[1] if attribute else fields.get("num", "")
        if not number:
            raise FormatError(source.name, line, "the topic has no number", start[0])
        missing = [name for name in field.split("+") if name not in fields]
        if missing:
            raise FormatError(source.name, line, f"topic {number} has no <{missing[0]}>; it has {', '.join(fields)}")
        yield line, Query(number, " ".join(fields[name] for name in field.split("+")).strip())


def write_topics(queries: Iterable[Query], path: str | PathLike[str]) -> None:
    """Topics with number and title. Raises InputError for an id with white space."""
    with atomic_text(path) as out:
        for query in queries:
            number = html.escape(writable(query.id, "query id"), quote=False)
            title = html.escape(" ".join(query.text.split()), quote=False)
            out.write(f"<top>\n<num> Number: {number}\n<title> {title}\n</top>\n\n")


def _fields(body: str) -> dict[str, str]:
    marks = list(_FIELD.finditer(body))
    found: dict[str, str] = {}
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        raw = body[mark.end() : following.start() if following else len(body)]
        raw = re.sub(r"</\w+\s*>", " ", raw)
        name = mark[1].lower()
        found.setdefault(_NAMES.get(name, name), " ".join(html.unescape(_LABEL.sub("", raw)).split()))
    return found
