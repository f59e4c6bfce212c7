"""The beginning of a file, prepared for guessing its format."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from .lines import Source, head_text
from .records import DOC_ID_KEYS, QUERY_ID_KEYS, QUERY_TEXT_KEYS, TEXT_KEYS, first_key
from .run import split_columns

LINES = 50


@dataclass(frozen=True, slots=True)
class Sample:
    """What a dialect's ``sniff`` looks at.

    name: the file's name in lower case, without folder and without .gz or .xz. lines: the first lines that are not
    blank. record: the first JSON object that is whole (a line before it may be broken), empty when the file is not
    JSON. array: it stands in a JSON array. rows: white-space columns.
    """

    name: str
    lines: tuple[str, ...]
    record: dict[str, Any]
    array: bool
    rows: tuple[tuple[str, ...], ...]

    def has(self, *keys: str) -> bool:
        """True when the first JSON object has all the keys."""
        return all(key in self.record for key in keys)

    def header(self, delimiter: str) -> tuple[str, ...]:
        """The cells of the first line in lower case."""
        return tuple(cell.strip().strip('"').lower() for cell in self.lines[0].split(delimiter)) if self.lines else ()

    def named_queries(self) -> bool:
        """True when the file is called after queries."""
        return bool(re.search(r"quer|topic|question", self.name))

    def named_corpus(self) -> bool:
        """True when the file is called after documents."""
        return bool(re.search(r"corpus|collection|docs|document|passage|psgs", self.name))

    def width(self) -> int:
        """Columns per line when all sampled lines agree, otherwise 0."""
        widths = {len(row) for row in self.rows}
        return widths.pop() if len(widths) == 1 else 0


def sample(source: Source) -> Sample:
    """The sample of a file or of standard input (which can still be read afterwards)."""
    text = head_text(source)
    name = PurePath(source.path).name.lower().removesuffix(".gz").removesuffix(".xz")
    start = text.lstrip()
    array = start.startswith("[")
    lines = tuple(line for line in text.split("\n") if line.strip())[:LINES]
    record = _first_object(start[1:].lstrip() if array else start) or _whole_line(lines[1:])
    if start[:1] in ("{", "[") or record:
        return Sample(name, (), record, array, ())
    rows = tuple(tuple(c.decode("utf-8", "replace") for c in split_columns(line.encode())) for line in lines)
    return Sample(name, lines, {}, False, rows)


def json_corpus(sample: Sample) -> str | None:
    """The id field (``_id``, ``id`` or ``docid``; other names and no id count as ``_id``) of a JSON record that looks
    like a document."""
    texts = first_key(sample.record, (*TEXT_KEYS, "title", "image"))
    if texts is None or sample.named_queries() or any(key in sample.record for key in _NOT_A_DOCUMENT):
        return None
    key = first_key(sample.record, DOC_ID_KEYS)
    return key if key in ("id", "docid") else "_id"


def json_queries(sample: Sample) -> str | None:
    """The id field of a JSON record that looks like a query."""
    if sample.named_corpus() or any(key in sample.record for key in _NOT_A_QUERY):
        return None
    text = first_key(sample.record, QUERY_TEXT_KEYS)
    return first_key(sample.record, QUERY_ID_KEYS) if text is not None else None


def bare_width(sample: Sample) -> int:
    """Tab-separated cells per line when all sampled lines agree, otherwise 0."""
    widths = {line.count("\t") + 1 for line in sample.lines}
    return widths.pop() if len(widths) == 1 else 0


_RANKED = ("candidates", "hits", "pos", "docs", "positive", "ctxs", "reranked_ctxs", "positive_passages", "shortlist")
_NOT_A_DOCUMENT = (*_RANKED, "query", "query_id", "qid", "question")
_NOT_A_QUERY = (*_RANKED, "docid", "title", "image", "corpus-id", "positive_document_ids")


def _whole_line(lines: tuple[str, ...]) -> dict[str, Any]:
    """The first line that is a JSON object."""
    return next(filter(None, (_first_object(line) for line in lines if line.lstrip().startswith("{"))), {})


def _first_object(text: str) -> dict[str, Any]:
    try:
        value, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
