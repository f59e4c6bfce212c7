"""Documents as the records of each corpus format, and the files that hold them."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import Any

from ..core.types import Document
from .atomic import atomic_text
from .jsonl import plain
from .qrels import tab_free
from .queries import one_line
from .records import write_records
from .tables import table_line


def corpus_record(document: Document, id_key: str = "_id") -> dict[str, Any]:
    """BEIR's record: ``_id``, ``title``, ``text``, and ``image`` and ``metadata`` when there are any."""
    record: dict[str, Any] = {id_key: document.id, "title": document.title or "", "text": document.text}
    if document.images:
        record["image"] = document.images[0] if len(document.images) == 1 else list(document.images)
    if document.metadata:
        record["metadata"] = plain(document.metadata)
    return record


def write_jsonl_corpus(
    documents: Iterable[Document], path: str | PathLike[str], *, id_key: str = "_id", extras: bool = True
) -> None:
    """JSONL with ``id_key``, ``title`` and ``text``; ``extras`` adds images and metadata."""
    keep = (id_key, "title", "text")
    records = (corpus_record(document, id_key) for document in documents)
    write_records((r if extras else {key: r[key] for key in keep} for r in records), path)


def write_tsv_corpus(documents: Iterable[Document], path: str | PathLike[str], *, full: bool = False) -> int:
    """MS MARCO's TSV: ``pid, text``, or with ``full`` ``id, url, title, body``. Returns how many texts lost line ends
    or tabs.

    Without ``full`` a title is put before the text.
    """
    flattened = 0
    with atomic_text(path) as out:
        for document in documents:
            url = document.metadata.get("url", "")
            cells = [str(url), document.title or "", document.text] if full else [document.full_text]
            flat = [one_line(cell) for cell in cells]
            flattened += any(changed for _, changed in flat)
            out.write("\t".join([tab_free(document.id, "document id"), *(text for text, _ in flat)]) + "\n")
    return flattened


def write_csv_corpus(documents: Iterable[Document], path: str | PathLike[str], *, delimiter: str = ",") -> None:
    """A table with the header ``id, title, text``; quoted, so that texts keep their line ends."""
    with atomic_text(path) as out:
        out.write(table_line(["id", "title", "text"], delimiter))
        out.writelines(table_line([d.id, d.title or "", d.text], delimiter) for d in documents)
