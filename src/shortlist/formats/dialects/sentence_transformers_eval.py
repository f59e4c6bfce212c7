"""sentence-transformers' reranking samples: ``{"query", "positive": [str], "negative": [str]}`` or ``"documents"`` for
a first stage.

Read as a ranking (documents in order, or the positives first) whose documents carry 1 or 0. A positive that is not
among ``documents`` is appended, as the evaluator does not either rank it. The file has no ids. Source:
sentence-transformers, ``CrossEncoderRerankingEvaluator``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Ranking
from ..bodies import listed, query_of, renumbered
from ..features import GRADE
from ..graded import positives
from ..lines import Bad, Readable, as_source
from ..records import Record, as_list, read_records, write_records
from ..sample import Sample

kind = "rankings"
holds = frozenset({"query texts", "texts", "grades"})


def sniff(sample: Sample) -> bool:
    """Positives as a list of texts beside a query."""
    return sample.has("query", "positive") and isinstance(sample.record["positive"], list)


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per line."""
    return read_records(as_source(path), _ranking, bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Graded above 0 is positive, the rest negative. Raises InputError for a query without any judgement."""
    write_records((_record(ranking, notes) for ranking in rankings), path)


def _ranking(ordinal: int, record: Record) -> Ranking:
    query = query_of(record, "query", ordinal)
    relevant = listed(record.get("positive"), "positive", query.id, **{GRADE: 1})
    if "documents" not in record:
        rejected = listed(record.get("negative", []), "negative", query.id, **{GRADE: 0})
        return Ranking(query, renumbered([relevant, rejected], query.id))
    texts = {c.document.text for c in relevant}
    shown = as_list(record["documents"], "documents")
    ranked = [listed([text], "documents", query.id, **{GRADE: int(text in texts)}) for text in shown]
    unseen = [c for c in relevant if c.document.text not in shown]
    return Ranking(query, renumbered([*ranked, unseen], query.id))


def _record(ranking: Ranking, notes: Counter[str]) -> Record:
    chosen, rejected = positives(ranking, notes)
    sides = {"positive": chosen, "negative": rejected}
    return {
        "query": ranking.query.text,
        **{side: [c.document.full_text for c in found] for side, found in sides.items()},
    }
