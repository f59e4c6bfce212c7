"""Documents by position: in memory, in a collection that is asked by id, or as lines of a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..core.errors import InputError
from ..core.protocols import Corpus
from ..core.types import Document


class Store(Protocol):
    """Documents by their position in the index."""

    def __len__(self) -> int: ...
    def take(self, positions: Sequence[int]) -> list[Document]: ...


class InMemory:
    """All documents in a list."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    def __len__(self) -> int:
        return len(self._documents)

    def take(self, positions: Sequence[int]) -> list[Document]:
        return [self._documents[i] for i in positions]


class ById:
    """A collection that holds the texts elsewhere; only the ids are kept here."""

    def __init__(self, ids: list[str], corpus: Corpus) -> None:
        self._ids, self._corpus = ids, corpus

    def __len__(self) -> int:
        return len(self._ids)

    def take(self, positions: Sequence[int]) -> list[Document]:
        return [self._corpus[self._ids[i]] for i in positions]


class Lines:
    """One JSON object per line of a file, read when asked for.

    starts: byte offset of each line, shape (documents + 1,), int64.
    """

    def __init__(self, path: Path, starts: Any) -> None:
        self._path, self._starts = path, starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    def take(self, positions: Sequence[int]) -> list[Document]:
        with self._path.open("rb") as stream:
            return [self._one(stream, i) for i in positions]

    def _one(self, stream: Any, position: int) -> Document:
        stream.seek(int(self._starts[position]))
        return document_from_line(stream.readline(), f"{self._path}, document {position + 1}")


def line_of(document: Document) -> bytes:
    """A document as one line of JSON; ASCII, so that even broken Unicode survives."""
    record: dict[str, Any] = {"id": document.id, "text": document.text}
    if document.title is not None:
        record["title"] = document.title
    if document.images:
        record["images"] = list(document.images)
    if document.metadata:
        record["metadata"] = dict(document.metadata)
    return json.dumps(record, default=str, separators=(",", ":")).encode("ascii") + b"\n"


def document_from_line(line: bytes, place: str) -> Document:
    """What ``line_of`` wrote. Raises InputError naming ``place`` when it is damaged."""
    try:
        r = json.loads(line)
        return Document(r["id"], r["text"], r.get("title"), tuple(r.get("images", ())), r.get("metadata", {}))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{place}: damaged ({error}); build the index again") from error


def write_lines(documents: Iterable[Document], path: Path) -> Any:
    """Write documents as lines; returns the offsets that ``Lines`` needs."""
    starts = [0]
    with path.open("wb") as stream:
        for document in documents:
            starts.append(starts[-1] + stream.write(line_of(document)))
    return np.asarray(starts, dtype=np.int64)


def each(documents: Iterable[Document] | Corpus) -> Iterator[Document]:
    """The documents of a list, an iterable, or a collection that iterates over its ids."""
    for item in documents:  # type: ignore[union-attr]
        yield item if isinstance(item, Document) else documents[item]  # type: ignore[index]
