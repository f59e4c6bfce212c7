"""TREC topics: ``<top> <num> <title> <desc> <narr> </top>`` and the XML of later tracks; the title is the query.

Source: TREC ad hoc, Robust, TREC-COVID; ``shortlist.formats.topics``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Query
from ..lines import Bad, Readable
from ..sample import Sample
from ..topics import is_topics, read_topics, write_topics

kind = "queries"
holds = frozenset({"query ids", "query texts"})
suffixes = (".topics", ".xml")


def sniff(sample: Sample) -> bool:
    """A topic's tag near the beginning."""
    return is_topics("\n".join(sample.lines))


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Query]:
    """One query per topic."""
    return iter(read_topics(path))


def write(queries: Iterable[Query], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Number and title; white space in texts becomes single spaces."""
    write_topics(queries, path)
