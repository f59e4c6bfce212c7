"""Rankings as the records of a journal: the package's own lossless format; the trace only where the output has it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..core.types import Document, Ranking
from ..formats.jsonl import from_record, to_line, to_record


def pack(ranking: Ranking, *, texts: bool, trace: bool = False) -> dict[str, Any]:
    """``ranking`` as JSON types, with what its trace adds up to. texts, trace: keep these, for outputs that hold
    them."""
    kept = ranking if trace else replace(ranking, trace=())
    if not texts:
        bare = tuple(replace(c, document=Document(c.id, "")) for c in ranking.candidates)
        kept = replace(kept, candidates=bare)
    return {
        "ranking": to_record(kept),
        "repairs": dict(ranking.repairs),
        "usage": [getattr(ranking.usage, name) for name in ranking.usage.__slots__],
    }


def unpack(record: dict[str, Any]) -> Ranking:
    """The ranking of a record, with its trace where that was kept."""
    return from_record(record["ranking"])


def fingerprint(rankings: Sequence[Ranking]) -> str:
    """Identifies the input of a batch: everything in it that can change a result."""
    state = hashlib.sha256()
    for ranking in rankings:
        state.update(to_line(replace(ranking, trace=())).encode("utf-8", "surrogatepass") + b"\n")
    return state.hexdigest()[:24]
