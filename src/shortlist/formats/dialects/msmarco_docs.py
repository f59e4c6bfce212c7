"""MS MARCO documents: ``id<tab>url<tab>title<tab>body`` without header (``msmarco-docs.tsv``).

Source: MS MARCO document ranking.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Document
from ..documents import BareLayout, iter_documents
from ..lines import Bad, Readable
from ..sample import Sample, bare_width
from ..writers import write_tsv_corpus

kind = "corpus"
holds = frozenset({"document ids", "texts", "titles"})
keeps = frozenset({"url"})


def sniff(sample: Sample) -> bool:
    """Four cells per line, the second an address."""
    return bare_width(sample) == 4 and all("://" in line.split("\t")[1] for line in sample.lines)


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Document]:
    """One document per line; the address is metadata ``url``."""
    return iter_documents(path, layout=BareLayout(("id", "url", "title", "text")), bad=bad)


def write(documents: Iterable[Document], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Tabs and line ends in texts become spaces, which is noted."""
    notes["texts lost tabs and line ends"] += write_tsv_corpus(documents, path, full=True)
