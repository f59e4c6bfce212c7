"""FlagEmbedding's judgements: ``{"qid", "docid", "relevance"}`` per line; MTEB's ``query-id, corpus-id, score`` are
read too.

Source: FlagOpen/FlagEmbedding, custom evaluation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Qrel
from ..lines import Bad, Readable
from ..qrels import is_header, iter_qrels, write_jsonl_qrels
from ..sample import Sample

kind = "qrels"
holds = frozenset({"query ids", "document ids", "grades", "grade levels"})
suffixes = (".jsonl",)


def sniff(sample: Sample) -> bool:
    """A query id, a document id and a grade, and no text."""
    return is_header(tuple(sample.record)) and not sample.has("query") and not sample.has("text")


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Qrel]:
    """One judgement per line."""
    return iter_qrels(path, bad=bad)


def write(qrels: Iterable[Qrel], path: str | PathLike[str], notes: Counter[str]) -> None:
    """JSONL."""
    write_jsonl_qrels(qrels, path)
