"""What a rerank service answered, mapped to the documents that were sent: by index, never by position.

One reader for all dialects: the list stands under ``results``, ``data``, ``documents``, ``scores`` or is the whole
answer; a score is ``relevance_score`` or ``score``; the document is told by ``index``, or by the ``id`` or ``docid``
that was sent. Most services sort by score, some do not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ...core.exchange import Reading
from ...core.types import MISSING, Repair, Usage
from .refusals import Malformed

_LISTS = ("results", "data", "documents", "scores")
_SCORES = ("relevance_score", "score")
_NAMES = ("index", "id", "docid", "document_index")


def read_results(data: Any, n: int) -> tuple[Reading, Usage]:
    """One score per document that was sent. Raises Malformed when there is no list, or when nothing in it says which
    document it is about.

    A document that is not answered, or with null, NaN or text for a score, is MISSING (repairs ``missing_result``,
    ``no_score``). Of several answers for one document the first counts (``repeated_index``); those for no document are
    left out (``unknown_index``).

    >>> read_results({"results": [{"index": 1, "relevance_score": 0.9}]}, 2)[0]
    Reading(scores=(-inf, 0.9), repairs=(Repair(kind='missing_result', count=1, detail=''),), valid=True)
    """
    items = _items(data)
    scores: dict[int, float] = {}
    counts: Counter[str] = Counter()
    indices = [_index(item) for item in items]
    if items and all(index is None for index in indices):
        raise Malformed("answered results without an index, so nothing says which document each is about", retry=False)
    for item, index in zip(items, indices, strict=True):
        if index is None or not 0 <= index < n:
            counts["unknown_index"] += 1
        elif index in scores:
            counts["repeated_index"] += 1
        else:
            scores[index] = _score(item)
            counts["no_score"] += scores[index] == MISSING
    counts["missing_result"] = n - len(scores)
    kinds = ("missing_result", "repeated_index", "unknown_index", "no_score")
    repairs = tuple(Repair(kind, counts[kind]) for kind in kinds if counts[kind])
    reading = tuple(scores.get(i, MISSING) for i in range(n))
    valid = n == 0 or any(score != MISSING for score in reading)
    return Reading(reading, (*repairs, *_warnings(data)), valid), _usage(data)


def _items(data: Any) -> Sequence[Mapping[str, Any]]:
    found = data if isinstance(data, list) else None
    if isinstance(data, Mapping):
        found = next((data[key] for key in _LISTS if isinstance(data.get(key), list)), None)
    if found is None or not all(isinstance(item, Mapping) for item in found):
        held = sorted(data)[:8] if isinstance(data, Mapping) else type(data).__name__
        raise Malformed(f"answered no list of results (looked for {', '.join(_LISTS)}; it holds {held})")
    return found


def _index(item: Mapping[str, Any]) -> int | None:
    for name in _NAMES:
        value = item.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
            return int(value)
    return None


def _score(item: Mapping[str, Any]) -> float:
    for name in _SCORES:
        value = item.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                return MISSING
            return number if math.isfinite(number) else MISSING
    return MISSING


def _warnings(data: Any) -> tuple[Repair, ...]:
    """What Cohere and its like say about the request: cut documents, a deprecated model."""
    meta = data.get("meta") if isinstance(data, Mapping) else None
    warnings = meta.get("warnings") if isinstance(meta, Mapping) else None
    said = [w for w in warnings if isinstance(w, str)] if isinstance(warnings, list) else []
    return (Repair("service_warning", len(said), "; ".join(said)[:300]),) if said else ()


def _usage(data: Any) -> Usage:
    """Prompt tokens from ``usage`` (or its ``total_tokens``) or ``meta.tokens``; 0 where the service states none."""
    if isinstance(data, Mapping):
        meta = data.get("meta")
        inner = [meta.get(name) for name in ("tokens", "billed_units")] if isinstance(meta, Mapping) else []
        for place in (data.get("usage"), *inner):
            for name in ("prompt_tokens", "total_tokens", "input_tokens"):
                value = place.get(name) if isinstance(place, Mapping) else None
                if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e15:
                    return Usage(1, int(value))
    return Usage(1)
