"""TREC run: ``qid Q0 docid rank score tag``, written with strictly decreasing scores.

Source: trec_eval 9; ``shortlist.formats.run``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Ranking
from ..lines import Bad, Readable, Source
from ..rows import Row
from ..run import iter_rows, read_rankings, write_run
from ..sample import Sample

kind = "rankings"
holds = frozenset({"order", "query ids", "document ids", "scores"})
suffixes = (".trec", ".run")


def sniff(sample: Sample) -> bool:
    """At least half of the lines have six columns with numbers in the fourth and fifth (some may be malformed)."""
    good = [row for row in sample.rows if len(row) == 6 and row[3].lstrip("-").isdigit() and _number(row[4])]
    return bool(good) and len(good) * 2 >= len(sample.rows)


def rows(source: Source, bad: Bad) -> Iterator[Row]:
    """The lines."""
    return iter_rows(source, columns="trec", bad=bad)


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per query, in trec_eval's order."""
    return read_rankings(path, columns="trec", bad=bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """See ``write_run``; what was done to the scores is noted."""
    write_run(rankings, path).note(notes)


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
