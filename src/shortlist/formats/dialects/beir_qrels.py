"""BEIR's judgements: tab-separated with the header ``query-id corpus-id score``; the same without header is read too.

Source: beir-cellar/beir.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Qrel
from ..lines import Bad, Readable
from ..qrels import is_header, iter_qrels, write_beir_qrels
from ..sample import Sample
from . import msmarco_run

kind = "qrels"
holds = frozenset({"query ids", "document ids", "grades", "grade levels"})
suffixes = (".tsv",)


def sniff(sample: Sample) -> bool:
    """The header; or three columns that end in a whole number and are no run."""
    if is_header(sample.header("\t")):
        return True
    grades = sample.width() == 3 and all(row[2].lstrip("-").isdigit() for row in sample.rows)
    return grades and not msmarco_run.sniff(sample)


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Qrel]:
    """One judgement per line."""
    return iter_qrels(path, bad=bad)


def write(qrels: Iterable[Qrel], path: str | PathLike[str], notes: Counter[str]) -> None:
    """With the header."""
    write_beir_qrels(qrels, path)
