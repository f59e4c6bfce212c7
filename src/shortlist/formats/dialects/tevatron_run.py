"""Tevatron ranklist: ``qid<tab>docid<tab>score``; four columns (``qid docid rank score``) are read too.

Source: texttron/tevatron, examples (read_result) and ``tevatron.utils.format``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Ranking
from ..atomic import atomic_text
from ..lines import Bad, Readable, Source, as_source
from ..qrels import tab_free
from ..rows import Grouping, Row
from ..run import iter_rows, split_columns
from ..sample import Sample
from ..scores import decreasing

kind = "rankings"
holds = frozenset({"order", "query ids", "document ids", "scores"})


def sniff(sample: Sample) -> bool:
    """Three columns, or four with a rank in the third, that end in a number with a decimal point."""
    width = sample.width()
    if width not in (3, 4) or not any("." in row[-1] for row in sample.rows):
        return False
    try:
        return all(float(row[-1]) is not None and (width == 3 or int(row[2]) >= 0) for row in sample.rows)
    except ValueError:
        return False


def rows(source: Source, bad: Bad) -> Iterator[Row]:
    """The lines."""
    first = next((line for line in source.head().splitlines() if line.strip()), b"")
    return iter_rows(source, columns="rank-score" if len(split_columns(first)) == 4 else "score", bad=bad)


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per query, by score."""
    source, bad = as_source(path), bad or Bad()
    return Grouping(source.name).rankings(rows(source, bad), bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Three columns; the order is the scores', so they are made strictly decreasing as in a TREC run."""
    with atomic_text(path) as out:
        for ranking in rankings:
            notes["queries without candidates have no line"] += not ranking.candidates
            written = decreasing([c.score for c in ranking.candidates])
            written.note(notes)
            query_id = tab_free(ranking.query.id, "query id")
            for doc_id, score in zip(ranking.ids, written.scores, strict=True):
                out.write(f"{query_id}\t{tab_free(doc_id, 'document id')}\t{score!r}\n")
