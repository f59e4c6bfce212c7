"""MS MARCO reranking input: ``qid<tab>pid<tab>query<tab>passage`` (``top1000.dev``).

Lines keep their order. The published file is not grouped by query: read it with grouped=False.
Source: MS MARCO passage ranking, ``top1000.dev.tar.gz``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Document, Query, Ranking
from ..atomic import atomic_text
from ..lines import Bad, Readable, Source, as_source, iter_lines
from ..qrels import tab_free
from ..queries import one_line
from ..rows import Grouping, Order, Row
from ..sample import Sample

kind = "rankings"
holds = frozenset({"order", "query ids", "query texts", "document ids", "texts"})
order: Order = "file"


def sniff(sample: Sample) -> bool:
    """Four cells with words in the last two."""
    cells = [line.split("\t") for line in sample.lines]
    if not cells or any(len(row) != 4 or row[2].strip().isdigit() or "://" in row[1] for row in cells):
        return False
    return any(" " in row[3].strip() for row in cells)


def rows(source: Source, bad: Bad) -> Iterator[Row]:
    """The lines."""
    for number, line in iter_lines(source, bad):
        cells = line.split("\t", 3)
        if not line.strip():
            continue
        if len(cells) != 4 or not cells[0] or not cells[1]:
            bad.line(
                source.name, number, f"expected qid, pid, query, passage with tabs, found {len(cells)} cells", line
            )
            continue
        query_id, doc_id, query, passage = cells
        yield Row(number, query_id, doc_id, None, None, "", Query(query_id, query), Document(doc_id, passage))


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per query, in the order of the lines."""
    source, bad = as_source(path), bad or Bad()
    return Grouping(source.name, order=order).rankings(rows(source, bad), bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Tabs and line ends in texts become spaces, which is noted."""
    with atomic_text(path) as out:
        for ranking in rankings:
            notes["queries without candidates have no line"] += not ranking.candidates
            query_id = tab_free(ranking.query.id, "query id")
            query, changed = one_line(ranking.query.text)
            notes["texts lost tabs and line ends"] += changed
            for document in ranking.documents:
                text, changed = one_line(document.full_text)
                notes["texts lost tabs and line ends"] += changed
                out.write(f"{query_id}\t{tab_free(document.id, 'document id')}\t{query}\t{text}\n")
