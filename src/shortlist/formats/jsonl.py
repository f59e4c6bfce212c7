"""Our own rankings file: one ranking per line, nothing lost (texts, titles, scores, first stage, metadata, status,
scale, trace).

A line is ``{"shortlist": 1, "query": {"id", "text"}, "status", "scale", "reason", "repairs": {kind: how often},
"usage": {"calls", "prompt_tokens", ...}, "candidates": [{"id", "text", "score"}], "trace": [{"group": ids, "scores",
"output", "repairs": [{"kind", "count", "detail"}], "usage", "parts": {name: numbers}}]}``; fields that are empty are
left out. ``repairs`` and ``usage`` of a ranking are what its trace adds up to: they are there to be looked at, and not
read. ``first_rank`` counts from 1 in the file. A score of -inf (no score in this call) is the string "missing".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from typing import Any, get_args

from ..core.params import params_of
from ..core.types import Call, Candidate, Document, Query, Ranking, Repair, Scale, Status, Usage
from .lines import Bad, Readable, as_source
from .records import Record, as_list, as_object, dump, identifier, number, parse, read_records, string, write_records

VERSION = 1
_SPECIAL = {"missing": -math.inf, "inf": math.inf}


def read_jsonl(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per line, streamed. Raises FormatError for a malformed line."""
    return read_records(as_source(path), lambda _, record: from_record(record), bad)


def write_jsonl(rankings: Iterable[Ranking], path: str | PathLike[str]) -> None:
    """Write the file; it appears when it is complete. ``"-"`` is standard output."""
    write_records(map(to_record, rankings), path)


def to_line(ranking: Ranking) -> str:
    """One ranking as one line, without line end.

    >>> to_line(Ranking(Query("q", "flea"), (Candidate(Document("d", "A flea.")),)))
    '{"shortlist": 1, "query": {"id": "q", "text": "flea"}, "candidates": [{"id": "d", "text": "A flea."}]}'
    """
    return dump(to_record(ranking))


def from_line(line: str) -> Ranking:
    """The ranking that ``to_line`` wrote; raises ValueError."""
    return from_record(parse(line))


def to_record(ranking: Ranking) -> Record:
    """A ranking as plain data."""
    record: Record = {"shortlist": VERSION, "query": _query(ranking.query)}
    if ranking.status != "retrieved":
        record["status"] = ranking.status
    if ranking.scale is not Scale.UNKNOWN:
        record["scale"] = str(ranking.scale)
    if ranking.reason:
        record["reason"] = ranking.reason
    if ranking.repairs:
        record["repairs"] = dict(ranking.repairs)
    if ranking.trace:
        record["usage"] = _usage(ranking.usage)
    record["candidates"] = [_candidate(c) for c in ranking.candidates]
    if ranking.trace:
        record["trace"] = [_call(call) for call in ranking.trace]
    return record


def from_record(record: Record) -> Ranking:
    """A ranking from plain data; raises ValueError (RankingError for a document listed twice)."""
    version = record.get("shortlist")
    if version != VERSION:
        raise ValueError(f'"shortlist": {version!r} is not version {VERSION} of the rankings format')
    status = record.get("status", "retrieved")
    if status not in get_args(Status):
        raise ValueError(f"status {status!r} is none of {', '.join(get_args(Status))}")
    return Ranking(
        _read_query(as_object(record.get("query"), "an object under 'query'")),
        tuple(
            _read_candidate(as_object(c, "an object in 'candidates'"))
            for c in as_list(record["candidates"], "candidates")
        )
        if "candidates" in record
        else (),
        status,
        _scale(record.get("scale", Scale.UNKNOWN)),
        string(record.get("reason", ""), "reason"),
        tuple(_read_call(as_object(c, "an object in 'trace'")) for c in as_list(record.get("trace", []), "trace")),
    )


def _query(query: Query) -> Record:
    record: Record = {"id": query.id, "text": query.text}
    if query.instruction is not None:
        record["instruction"] = query.instruction
    if query.images:
        record["images"] = list(query.images)
    return record


def _candidate(candidate: Candidate) -> Record:
    document = candidate.document
    record: Record = {"id": document.id, "text": document.text}
    if document.title is not None:
        record["title"] = document.title
    if document.images:
        record["images"] = list(document.images)
    if candidate.score is not None:
        record["score"] = _number(candidate.score)
    if candidate.first_score is not None:
        record["first_score"] = _number(candidate.first_score)
    if candidate.first_rank is not None:
        record["first_rank"] = candidate.first_rank + 1
    if document.metadata:
        record["metadata"] = plain(document.metadata)
    return record


def _call(call: Call) -> Record:
    record: Record = {"group": list(call.group), "scores": [_number(s) for s in call.scores]}
    if call.output:
        record["output"] = call.output
    if call.repairs:
        record["repairs"] = [{"kind": r.kind, "count": r.count, "detail": r.detail} for r in call.repairs]
    if call.usage != Usage(calls=1):
        record["usage"] = _usage(call.usage)
    if call.parts:
        record["parts"] = {name: [_number(s) for s in scores] for name, scores in call.parts.items()}
    return record


def _usage(usage: Usage) -> Record:
    return params_of(usage)


def _read_query(record: Record) -> Query:
    instruction = record.get("instruction")
    return Query(
        string(record.get("id"), "query id"),
        string(record.get("text", ""), "query text"),
        None if instruction is None else string(instruction, "instruction"),
        tuple(string(i, "image") for i in as_list(record.get("images", []), "images")),
    )


def _read_candidate(record: Record) -> Candidate:
    title, rank = record.get("title"), record.get("first_rank")
    if rank is not None and (isinstance(rank, bool) or not isinstance(rank, int) or rank < 1):
        raise ValueError(f"first_rank {rank!r} is not a whole number from 1")
    document = Document(
        identifier(record.get("id"), "document id") if record.get("id") != "" else "",
        string(record.get("text", ""), "document text"),
        None if title is None else string(title, "title"),
        tuple(string(i, "image") for i in as_list(record.get("images", []), "images")),
        as_object(record.get("metadata", {}), "an object under 'metadata'"),
    )
    return Candidate(
        document, _score(record, "score"), _score(record, "first_score"), None if rank is None else rank - 1
    )


def _read_call(record: Record) -> Call:
    usage = as_object(record.get("usage", {"calls": 1}), "an object under 'usage'")
    repairs = [as_object(r, "an object in 'repairs'") for r in as_list(record.get("repairs", []), "repairs")]
    parts = as_object(record.get("parts", {}), "an object under 'parts'")
    try:
        return Call(
            tuple(as_list(record.get("group"), "group")),
            _special_numbers(record.get("scores"), "scores"),
            string(record.get("output", ""), "output"),
            tuple(Repair(**repair) for repair in repairs),
            Usage(**usage),
            {name: _special_numbers(scores, f"parts[{name!r}]") for name, scores in parts.items()},
        )
    except TypeError as error:
        raise ValueError(f"trace: {error}") from error


def _scale(value: Any) -> Scale:
    try:
        return Scale(value)
    except ValueError:
        raise ValueError(f"scale {value!r} is none of {', '.join(Scale)}") from None


def _number(value: float) -> float | str:
    if math.isinf(value):
        return "inf" if value > 0 else "missing"
    return float(value)


def _special(value: Any, what: str) -> float:
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    return number(value, what)


def _special_numbers(values: Any, what: str) -> tuple[float, ...]:
    return tuple(_special(value, what) for value in as_list(values, what))


def _score(record: Record, key: str) -> float | None:
    value = record.get(key)
    return None if value is None else _special(value, key)


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it: tuples become lists, NaN and infinities their names, other objects their text."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
