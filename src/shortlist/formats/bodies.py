"""Documents inside the JSON of other projects: text under one of many names, ids that may be absent, scores that must
be there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..core.types import Candidate, Document, Query, Ranking
from .features import GRADE
from .jsonl import plain
from .records import (
    DOC_ID_KEYS,
    QUERY_ID_KEYS,
    TEXT_KEYS,
    Record,
    as_list,
    as_object,
    first_key,
    identifier,
    number,
    string,
)


def made_id(query_id: str, position: int) -> str:
    """The id of a document that has none in the file: its query's id and its place from 1.

    >>> made_id("q7", 0)
    'q7-1'
    """
    return f"{query_id}-{position + 1}"


def document(body: Any, doc_id: str, drop: Iterable[str] = ()) -> Document:
    """A document from a string or an object; what is neither text, title nor id becomes metadata. Raises ValueError."""
    if isinstance(body, str):
        return Document(doc_id, body)
    record = as_object(body, f"a string or an object as the text of document {doc_id!r}")
    key = first_key(record, TEXT_KEYS)
    if key is None and "title" not in record:
        raise ValueError(
            f"document {doc_id!r} has no text (looked for {', '.join(TEXT_KEYS)}; found {list(record)[:8]})"
        )
    used = {key, "title", *DOC_ID_KEYS, *drop}
    return Document(
        doc_id,
        string(record[key], f"field {key!r}") if key else "",
        string(record.get("title") or "", "title") or None,
        metadata={k: v for k, v in record.items() if k not in used},
    )


def body(item: Document, *, extras: bool = False) -> Record:
    """The reverse: ``title`` (when there is one) and ``text``; ``extras`` adds the metadata."""
    record: Record = dict(plain(item.metadata)) if extras else {}
    if item.title:
        record["title"] = item.title
    return {**record, "text": item.text}


def listed(value: Any, what: str, query_id: str, **fields: Any) -> list[Candidate]:
    """Candidates from a list of strings or objects, with ids where they have none; ``fields`` go to the metadata."""
    found = []
    for position, item in enumerate(as_list(value, what)):
        doc_id = made_id(query_id, position)
        if isinstance(item, dict):
            key = first_key(item, DOC_ID_KEYS)
            doc_id = identifier(item[key], f"field {key!r}") if key else doc_id
        made = document(item, doc_id)
        found.append(Candidate(Document(made.id, made.text, made.title, metadata={**made.metadata, **fields})))
    return found


def renumbered(groups: Sequence[Sequence[Candidate]], query_id: str) -> tuple[Candidate, ...]:
    """One list from several of documents without ids: ids count through."""
    flat = [c for group in groups for c in group]
    return tuple(
        Candidate(
            Document(made_id(query_id, i), c.document.text, c.document.title, metadata=c.document.metadata), c.score
        )
        for i, c in enumerate(flat)
    )


def query_of(record: Record, text_key: str, ordinal: int, instruction: str | None = None) -> Query:
    """The query of a record whose text stands under ``text_key``; numbered when it has no id. Raises ValueError."""
    key = first_key(record, QUERY_ID_KEYS)
    query_id = identifier(record[key], f"field {key!r}") if key else str(ordinal)
    if text_key not in record:
        raise ValueError(f"no field {text_key!r}; found {', '.join(list(record)[:8]) or 'no fields'}")
    return Query(query_id, string(record[text_key], f"field {text_key!r}"), instruction)


def score_of(record: Record) -> float | None:
    """The number under ``score``, or ``None``. A number in a string (DPR writes them so) is read too. Raises
    ValueError."""
    value = record.get("score")
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError(f"score {value!r} is not a number") from None
    return None if value is None else number(value, "score")


def required_scores(ranking: Ranking, notes: Counter[str]) -> list[float]:
    """A score for each document: the real ones, or n, n-1, ..., 1 when one is missing, which is noted."""
    scores = [c.score for c in ranking.candidates]
    real = [s for s in scores if s is not None and math.isfinite(s)]
    if len(real) == len(scores):
        return real
    notes["rankings with missing scores got rank-derived scores n, n-1, ..., 1"] += 1
    return [float(n) for n in range(len(scores), 0, -1)]


def ungraded(item: Document) -> Document:
    """The document without the judgement that travelled with it."""
    return Document(item.id, item.text, item.title, item.images, {k: v for k, v in item.metadata.items() if k != GRADE})
