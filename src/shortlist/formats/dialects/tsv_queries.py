"""Queries as ``qid<tab>text`` lines (MS MARCO); a header with such columns is read too.

Source: MS MARCO ``queries.dev.tsv``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Query
from ..lines import Bad, Readable
from ..queries import is_header, iter_queries, write_tsv_queries
from ..sample import Sample, bare_width

kind = "queries"
holds = frozenset({"query ids", "query texts"})
suffixes = (".tsv",)


def sniff(sample: Sample) -> bool:
    """Two cells per line in a file that is not named after documents, or a header with both."""
    return (
        bare_width(sample) == 2 or is_header(sample.header("\t")) or is_header(sample.header(","))
    ) and not sample.named_corpus()


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Query]:
    """One query per line."""
    return iter_queries(path, bad=bad)


def write(queries: Iterable[Query], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Tabs and line ends in texts become spaces, which is noted."""
    notes["texts lost tabs and line ends"] += write_tsv_queries(queries, path)
