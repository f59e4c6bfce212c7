"""BEIR's queries: ``{"_id", "text"}`` per line; ``qid``, ``query_id``, ``query`` and ``question`` are read too.

Source: beir-cellar/beir.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Query
from ..lines import Bad, Readable
from ..queries import iter_queries, write_beir_queries
from ..sample import Sample, json_queries

kind = "queries"
holds = frozenset({"query ids", "query texts", "instructions", "query images"})
suffixes = (".jsonl",)


def sniff(sample: Sample) -> bool:
    """An id and a text in an object that holds no document."""
    return json_queries(sample) in ("_id", "qid", "query_id", "query-id")


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Query]:
    """One query per object."""
    return iter_queries(path, bad=bad)


def write(queries: Iterable[Query], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Instruction and images are written when there are any."""
    write_beir_queries(queries, path)
