"""FlagEmbedding's queries: ``{"id", "text"}`` per line (``<split>_queries.jsonl``).

Source: FlagOpen/FlagEmbedding, custom evaluation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Query
from ..lines import Bad, Readable
from ..queries import iter_queries, write_flag_embedding_queries
from ..sample import Sample, json_queries

kind = "queries"
holds = frozenset({"query ids", "query texts"})


def sniff(sample: Sample) -> bool:
    """An ``id`` and a text in an object that holds no document."""
    return json_queries(sample) == "id"


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Query]:
    """One query per object."""
    return iter_queries(path, bad=bad)


def write(queries: Iterable[Query], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Id and text only."""
    write_flag_embedding_queries(queries, path)
