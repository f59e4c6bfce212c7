"""MS MARCO run: ``qid<tab>docid<tab>rank``, no scores.

Source: MS MARCO passage ranking, submission format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Ranking
from ..atomic import atomic_text
from ..lines import Bad, Readable, Source
from ..qrels import tab_free
from ..rows import Row
from ..run import iter_rows, read_rankings
from ..sample import Sample

kind = "rankings"
holds = frozenset({"order", "query ids", "document ids"})


def sniff(sample: Sample) -> bool:
    """Three columns whose last counts 1, 2, 3 per query."""
    if sample.width() != 3:
        return False
    following: dict[str, str] = {}
    for query_id, _, rank in sample.rows:
        if rank != following.get(query_id, rank) or (query_id not in following and rank not in ("0", "1")):
            return False
        following[query_id] = str(int(rank) + 1)
    return len(sample.rows) > len(following)  # one line per query could as well be a grade


def rows(source: Source, bad: Bad) -> Iterator[Row]:
    """The lines."""
    return iter_rows(source, columns="rank", bad=bad)


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per query, by rank."""
    return read_rankings(path, columns="rank", bad=bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Ranks count from 1."""
    with atomic_text(path) as out:
        for ranking in rankings:
            notes["queries without candidates have no line"] += not ranking.candidates
            query_id = tab_free(ranking.query.id, "query id")
            for rank, doc_id in enumerate(ranking.ids, 1):
                out.write(f"{query_id}\t{tab_free(doc_id, 'document id')}\t{rank}\n")
