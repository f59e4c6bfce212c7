"""Judgements by query and document, from whatever they come in.

This module does not know runs or measures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path

from ..core.errors import InputError
from ..core.types import Qrel
from ..formats.lines import STDIN, Bad, Source
from ..formats.qrels import read_qrels
from .blocks import Irregular
from .qrelsfile import regular_qrels

QrelsLike = str | PathLike[str] | Mapping[str, Mapping[str, int]] | Iterable[Qrel]
"""A qrels file or BEIR folder, query -> document -> grade, or Qrel values."""


@dataclass(frozen=True)
class Judgements:
    """query id -> document id -> grade. Every query here has at least one judged document."""

    grades: Mapping[str, Mapping[str, int]]

    @cached_property
    def pools(self) -> Mapping[str, tuple[int, ...]]:
        """The grades of each query's judged documents, highest first."""
        return {query: tuple(sorted(docs.values(), reverse=True)) for query, docs in self.grades.items()}

    @cached_property
    def encoded(self) -> Mapping[bytes, tuple[str, Mapping[bytes, int]]]:
        """As UTF-8, for lookup in a run that is read as bytes: query -> (its id as text, document -> grade)."""
        return {q.encode(): (q, {d.encode(): grade for d, grade in docs.items()}) for q, docs in self.grades.items()}


def judgements(qrels: QrelsLike | Judgements, *, bad: Bad | None = None) -> Judgements:
    """Read or index the judgements. Raises InputError when there are none, or two that contradict each other.

    bad: what to do with malformed lines of a file (default: raise).

    >>> judgements([Qrel("q", "d", 2)]).pools
    {'q': (2,)}
    """
    if isinstance(qrels, Judgements):
        return qrels
    if isinstance(qrels, (str, PathLike)):
        found = _read(qrels_file(qrels), bad)
    elif isinstance(qrels, Mapping):
        found = {query: dict(docs) for query, docs in qrels.items()}
    else:
        found = _indexed(qrels)
    kept = {query: docs for query, docs in found.items() if docs}
    if not kept:
        raise InputError("the judgements are empty: no query has a judged document")
    return Judgements(kept)


def _read(path: str, bad: Bad | None) -> dict[str, dict[str, int]]:
    source = Source(path)
    if source.path != STDIN:  # standard input cannot be read a second time should it turn out irregular
        try:
            with closing(source.open()) as stream:
                return regular_qrels(stream)
        except Irregular:
            pass
    return _indexed(read_qrels(source, bad=bad))


def qrels_file(path: str | PathLike[str], split: str = "test") -> str:
    """``path`` itself, or the judgements of ``split`` when it is a BEIR folder. Raises InputError when it has none."""
    folder = Path(path)
    if not folder.is_dir():
        return str(path)
    found = folder / "qrels" / f"{split}.tsv"
    if not found.is_file():
        known = sorted(file.stem for file in (folder / "qrels").glob("*.tsv"))
        raise InputError(f"{folder}: no judgements qrels/{split}.tsv; splits there: {', '.join(known) or 'none'}")
    return str(found)


def _indexed(qrels: Iterable[Qrel]) -> dict[str, dict[str, int]]:
    index: dict[str, dict[str, int]] = {}
    for qrel in qrels:
        if not isinstance(qrel, Qrel):
            raise InputError(f"judgements must be Qrel values, a mapping or a path; found {qrel!r}")
        docs = index.setdefault(qrel.query_id, {})
        if docs.setdefault(qrel.doc_id, qrel.grade) != qrel.grade:
            raise InputError(
                f"query {qrel.query_id!r}, document {qrel.doc_id!r} is judged twice with different grades: "
                f"{docs[qrel.doc_id]} and {qrel.grade}"
            )
    return index
