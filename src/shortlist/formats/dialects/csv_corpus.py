"""Documents as CSV or TSV with a header; columns are found by name, the rest is metadata, quoted fields keep their
line ends.

Source: RFC 4180; DPR ``psgs_w100.tsv`` (id, text, title).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Document
from ..documents import iter_documents, table_layout
from ..lines import Bad, Readable
from ..sample import Sample
from ..writers import write_csv_corpus

kind = "corpus"
holds = frozenset({"document ids", "texts", "titles"})
suffixes = (".csv",)


def sniff(sample: Sample) -> bool:
    """A header with a text column, in a file that is not named after queries and has no column for a query."""
    layout = table_layout(sample.lines[0]) if sample.lines else None
    queries = {"query", "query_id", "qid", "query-id"}
    return layout is not None and not sample.named_queries() and not queries & {name.lower() for name in layout.header}


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Document]:
    """One document per record."""
    return iter_documents(path, bad=bad)


def write(documents: Iterable[Document], path: str | PathLike[str], notes: Counter[str]) -> None:
    """``id, title, text``; tab-separated when the name ends in ``.tsv``."""
    write_csv_corpus(documents, path, delimiter="\t" if ".tsv" in str(path) else ",")
