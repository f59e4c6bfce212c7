"""TREC judgements: ``qid iter docid grade``.

Source: trec_eval 9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Qrel
from ..lines import Bad, Readable
from ..qrels import iter_qrels, write_trec_qrels
from ..sample import Sample

kind = "qrels"
holds = frozenset({"query ids", "document ids", "grades", "grade levels"})
suffixes = (".qrels", ".txt", ".trec")


def sniff(sample: Sample) -> bool:
    """Mostly four columns that end in a whole number, the second the same or short, as ``iter`` is."""
    four = [row for row in sample.rows if len(row) == 4]
    return len(four) * 2 > len(sample.rows) and all(row[3].lstrip("-").isdigit() and len(row[1]) < 3 for row in four)


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Qrel]:
    """One judgement per line."""
    return iter_qrels(path, bad=bad)


def write(qrels: Iterable[Qrel], path: str | PathLike[str], notes: Counter[str]) -> None:
    """``iter`` is 0."""
    write_trec_qrels(qrels, path)
