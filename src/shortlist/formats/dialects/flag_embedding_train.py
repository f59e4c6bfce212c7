"""FlagEmbedding's training file: ``{"query", "pos": [str], "neg": [str], "pos_scores", "neg_scores", "prompt"}``.

Read as a ranking with the positives first; the judgement (1 or 0) travels with each document, a teacher's scores
become scores, ``prompt`` is the query's instruction. The file has no ids. Source: FlagOpen/FlagEmbedding, fine-tuning
data format.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from os import PathLike

from ...core.types import Candidate, Ranking
from ..bodies import listed, query_of, renumbered
from ..features import GRADE
from ..graded import positives
from ..lines import Bad, Readable, as_source
from ..records import Record, as_list, number, read_records, string, write_records
from ..sample import Sample

kind = "rankings"
holds = frozenset({"query texts", "instructions", "texts", "scores", "grades"})


def sniff(sample: Sample) -> bool:
    """A query with lists of positives and negatives."""
    return sample.has("query", "pos") and isinstance(sample.record["pos"], list)


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per line."""
    return read_records(as_source(path), _ranking, bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Graded above 0 is positive; scores are written when every document has one."""
    write_records((_record(ranking, notes) for ranking in rankings), path)


def _ranking(ordinal: int, record: Record) -> Ranking:
    prompt = record.get("prompt")
    query = query_of(record, "query", ordinal, None if prompt is None else string(prompt, "prompt"))
    groups = [_side(record, side, grade, query.id) for side, grade in (("pos", 1), ("neg", 0))]
    return Ranking(query, renumbered(groups, query.id))


def _side(record: Record, side: str, grade: int, query_id: str) -> list[Candidate]:
    candidates = listed(record.get(side, []), side, query_id, **{GRADE: grade})
    scores = as_list(record.get(f"{side}_scores") or [], f"{side}_scores")
    if scores and len(scores) != len(candidates):
        raise ValueError(f"{len(scores)} {side}_scores for {len(candidates)} texts in {side!r}")
    return (
        [replace(c, score=number(s, "score")) for c, s in zip(candidates, scores, strict=True)]
        if scores
        else candidates
    )


def _record(ranking: Ranking, notes: Counter[str]) -> Record:
    sides = dict(zip(("pos", "neg"), positives(ranking, notes), strict=True))
    record: Record = {"query": ranking.query.text}
    record |= {side: [c.document.full_text for c in found] for side, found in sides.items()}
    scores = [c.score for c in ranking.candidates]
    if scores and all(s is not None and math.isfinite(s) for s in scores):
        record |= {f"{side}_scores": [c.score for c in found] for side, found in sides.items()}
    else:
        notes["scores left out because not every document of the query has one"] += any(s is not None for s in scores)
    if ranking.query.instruction is not None:
        record["prompt"] = ranking.query.instruction
    return record
