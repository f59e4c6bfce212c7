"""Reranks a stream of rankings into a file, so that a kill at any moment costs one batch and changes nothing.

Batches have a fixed composition (queries 1-16, 17-32, ...), because the last digits of a neural score may depend on
what is computed together. Results go to a journal beside the output; the output itself appears at the end, whole, by
a rename.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from ..core.errors import ConfigError, InputError
from ..core.params import digest
from ..core.types import Ranking, Usage
from ..formats.atomic import atomic_text
from ..pipeline import Stage
from .codec import fingerprint, pack, unpack
from .journal import Journal
from .manifest import manifest

Progress = Callable[[int], None]
"""Called after every batch with the number of queries that are done."""


class Writer(Protocol):
    """Writes rankings to a path, streaming and atomically: the file appears when it is complete."""

    def __call__(self, rankings: Iterable[Ranking], path: Path) -> object: ...


@dataclass(frozen=True, slots=True)
class RerankReport:
    """What a job did. resumed: queries that an earlier, killed run had already done."""

    queries: int = 0
    resumed: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    repairs: Mapping[str, int] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0


def rerank_file(
    rankings: Iterable[Ranking],
    stage: Stage,
    output: Path,
    *,
    writer: Writer,
    k: int | None = None,
    depth: int | None = None,
    batch: int = 16,
    texts: bool = False,
    inputs: Mapping[str, Path | str] | None = None,
    facts: Mapping[str, Any] | None = None,
    restart: bool = False,
    progress: Progress = lambda done: None,
) -> RerankReport:
    """Rerank every ranking and write ``output`` and ``output.manifest.json``.

    depth: how many candidates are taken of each input ranking. k: how many are kept of each result. batch: queries
    computed together. texts: keep texts for the writer. restart: throw an unfinished job's journal away. Raises
    ConfigError when the journal belongs to a different job, InputError when the input changed since a batch was
    computed.
    """
    if batch < 1:
        raise ConfigError(f"batch={batch}: expected 1 or more")
    began = time.monotonic()
    journal = Journal(output.with_name(output.name + ".journal"), _header(stage, k, depth, batch, texts))
    if restart:
        journal.remove()
    done = journal.open()
    source = _batches((r.top(depth) for r in rankings), batch)
    finished = _skip_done(source, journal, done)
    resumed = finished
    progress(finished)
    for chunk in source:
        results = stage.apply(chunk, k)
        journal.add({"input": fingerprint(chunk), "results": [pack(r, texts=texts) for r in results]})
        finished += len(chunk)
        progress(finished)
    report = _report(journal, resumed, time.monotonic() - began)
    writer((unpack(r) for b in journal.batches() for r in b["results"]), output)
    record = manifest(
        stage, inputs=inputs or {}, k=k, depth=depth, batch=batch, report=asdict(report), **dict(facts or {})
    )
    text = json.dumps(record, indent=2, ensure_ascii=False, default=str) + "\n"
    with atomic_text(output.with_name(output.name + ".manifest.json")) as out:
        out.write(text)
    journal.remove()
    return report


def _header(stage: Stage, k: int | None, depth: int | None, batch: int, texts: bool) -> dict[str, Any]:
    return {"job": "rerank", "stage": digest(stage), "k": k, "depth": depth, "batch": batch, "texts": texts}


def _batches(rankings: Iterable[Ranking], size: int) -> Iterator[list[Ranking]]:
    source = iter(rankings)
    while chunk := list(islice(source, size)):
        yield chunk


def _skip_done(source: Iterator[list[Ranking]], journal: Journal, done: int) -> int:
    """Pass over the input of finished batches, checking that it is the input they were computed from."""
    queries = 0
    for number, record in zip(range(done), journal.batches(), strict=True):
        chunk = next(source, [])
        if fingerprint(chunk) != record["input"]:
            raise InputError(
                f"the input of batch {number + 1} is not what it was when {journal.path} was begun; "
                "give the same input to finish that job, or start again with --restart"
            )
        queries += len(chunk)
    return queries


def _report(journal: Journal, resumed: int, seconds: float) -> RerankReport:
    statuses: Counter[str] = Counter()
    repairs: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    usage = Usage()
    for batch in journal.batches():
        for record in batch["results"]:
            statuses[record["status"]] += 1
            repairs.update(record["repairs"])
            usage += Usage(*record["usage"])
            if record["reason"]:
                reasons[record["query"]] = record["reason"]
    return RerankReport(statuses.total(), resumed, dict(statuses), reasons, dict(repairs), usage, seconds)
