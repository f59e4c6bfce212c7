"""Rankings as the compact records of a journal: what the output needs, without traces."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from ..core.types import Candidate, Document, Query, Ranking, Scale


def pack(ranking: Ranking, *, texts: bool) -> dict[str, Any]:
    """``ranking`` as JSON types. texts: also the texts of query and documents, for outputs that hold them."""
    record: dict[str, Any] = {
        "query": ranking.query.id,
        "status": ranking.status,
        "scale": str(ranking.scale),
        "reason": ranking.reason,
        "rows": [[c.id, c.score, c.first_score, c.first_rank] for c in ranking.candidates],
        "repairs": dict(ranking.repairs),
        "usage": [getattr(ranking.usage, name) for name in ranking.usage.__slots__],
    }
    if texts:
        record["query_text"] = ranking.query.text
        record["documents"] = [[d.text, d.title, dict(d.metadata)] for d in ranking.documents]
    return record


def unpack(record: dict[str, Any]) -> Ranking:
    """The ranking of a record, without its trace; texts are empty when they were not packed."""
    documents = record.get("documents") or [["", None, {}]] * len(record["rows"])
    candidates = tuple(
        Candidate(Document(doc_id, text, title, metadata=metadata), score, first_score, first_rank)
        for (doc_id, score, first_score, first_rank), (text, title, metadata) in zip(
            record["rows"], documents, strict=True
        )
    )
    query = Query(record["query"], record.get("query_text", ""))
    return Ranking(query, candidates, record["status"], Scale(record["scale"]), record["reason"])


def fingerprint(rankings: Sequence[Ranking]) -> str:
    """Identifies the input of a batch: query ids and texts, document ids, texts and first-stage scores, in order."""
    state = hashlib.sha256()
    for ranking in rankings:
        state.update(_bytes(ranking.query.id, ranking.query.text, ranking.query.instruction or ""))
        for c in ranking.candidates:
            state.update(_bytes(c.id, c.document.full_text, repr(c.score)))
    return state.hexdigest()[:24]


def _bytes(*texts: str) -> bytes:
    return b"".join(len(raw).to_bytes(8, "big") + raw for raw in (t.encode("utf-8", "surrogatepass") for t in texts))
