"""BEIR's corpus: ``{"_id", "title", "text"}`` per line, other fields as metadata.

Source: beir-cellar/beir.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Document
from ..documents import JsonLayout, iter_documents
from ..lines import Bad, Readable
from ..sample import Sample, json_corpus
from ..writers import write_jsonl_corpus

kind = "corpus"
holds = frozenset({"document ids", "texts", "titles", "images", "metadata"})
suffixes = (".jsonl",)


def sniff(sample: Sample) -> bool:
    """A text or title under '_id', and no query."""
    return json_corpus(sample) == "_id"


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Document]:
    """One document per object; every known name of a field is accepted."""
    return iter_documents(path, layout=JsonLayout(), bad=bad)


def write(documents: Iterable[Document], path: str | PathLike[str], notes: Counter[str]) -> None:
    """One document per line."""
    write_jsonl_corpus(documents, path, id_key="_id")
