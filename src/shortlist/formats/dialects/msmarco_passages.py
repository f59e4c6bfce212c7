"""MS MARCO passages: ``pid<tab>text`` without header (``collection.tsv``).

Source: MS MARCO passage ranking.
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
holds = frozenset({"document ids", "texts"})
suffixes = (".tsv",)


def sniff(sample: Sample) -> bool:
    """Two cells per line, in a file that is not named after queries."""
    return bare_width(sample) == 2 and not sample.named_queries()


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Document]:
    """One document per line."""
    return iter_documents(path, layout=BareLayout(), bad=bad)


def write(documents: Iterable[Document], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Tabs and line ends in texts become spaces, which is noted."""
    notes["texts lost tabs and line ends"] += write_tsv_corpus(documents, path)
