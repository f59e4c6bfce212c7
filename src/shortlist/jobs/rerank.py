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
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Protocol

from ..core.errors import BackendError, ConfigError, InputError
from ..core.lock import locked
from ..core.params import digest
from ..core.types import Ranking, Usage
from ..drive import outage
from ..formats.atomic import atomic_text
from ..pipeline import Stage
from .codec import fingerprint, pack, unpack
from .journal import Journal
from .manifest import manifest, versions

Progress = Callable[[int], None]
"""Called after every batch with the number of queries that are done."""


class Writer(Protocol):
    """Writes rankings to a path, streaming and atomically: the file appears when it is complete."""

    def __call__(self, rankings: Iterable[Ranking], path: Path) -> object: ...


Facts = Callable[[], Mapping[str, Any]]
"""Further entries of the manifest, asked for when the job is done."""
Check = Callable[[Ranking], None]
"""Raises InputError for a ranking that the output could not hold; asked before anything is computed for it."""


class Stopped(BackendError):
    """An endpoint answers nobody any more. The finished batches are in the journal, and the same job continues there.

    done: queries that are finished.
    """

    def __init__(self, why: str, journal: Path, done: int) -> None:
        self.done = done
        super().__init__(
            f"stopped: {why}; {done} queries are done and kept in {journal}; give the same command again when the "
            "endpoint is back"
        )


@dataclass(frozen=True, slots=True)
class RerankReport:
    """What a job did. resumed: queries that an earlier, killed run had already done. notes: what the writer had to
    do."""

    queries: int = 0
    resumed: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    repairs: Mapping[str, int] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


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
    trace: bool = False,
    inputs: Mapping[str, Path | str] | None = None,
    facts: Facts = dict,
    check: Check = lambda ranking: None,
    restart: bool = False,
    on_outage: Literal["stop", "unscored"] = "stop",
    progress: Progress = lambda done: None,
) -> RerankReport:
    """Rerank every ranking and write ``output`` and ``output.manifest.json``.

    depth: how many candidates are taken of each input ranking. k: how many are kept of each result. batch: queries
    computed together. texts, trace: keep these for the writer. A trace that the input brings is left out: what is
    recorded is what this job did. restart: throw an unfinished job's journal away. on_outage: when queries stay
    unscored because an endpoint is down, ``stop`` raises Stopped and keeps the journal (all others would be unscored,
    too, and a later run does better), ``unscored`` goes on. Raises ConfigError when the journal belongs to a different
    job or another process is at it, InputError when the input changed since a batch was computed, or names a query
    twice.
    """
    for name, value in (("batch", batch), ("depth", depth), ("top k", k)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ConfigError(f"{name}={value!r}: expected a whole number from 1 up")
    began = time.monotonic()
    record = manifest(stage, inputs=inputs or {}, k=k, depth=depth, batch=batch)
    journal = Journal(beside(output, "journal"), _header(stage, k, depth, batch, texts, trace))
    with _alone(output):
        if restart:
            journal.remove()
        done = journal.open()
        source = _batches((replace(r.top(depth), trace=()) for r in _checked(rankings, check)), batch)
        resumed = finished = _skip_done(source, journal, done)
        progress(finished)
        for chunk in source:
            results = stage.apply(chunk, k)
            failed = on_outage == "stop" and any(r.status == "unscored" for r in results)
            if failed and (why := outage(stage)):
                raise Stopped(why, journal.path, finished)
            journal.add({"input": fingerprint(chunk), "results": [pack(r, texts=texts, trace=trace) for r in results]})
            finished += len(chunk)
            progress(finished)
        written = writer((unpack(r) for b in journal.batches() for r in b["results"]), output)
        notes = written if isinstance(written, tuple) else ()
        report = replace(_report(journal, resumed, time.monotonic() - began), notes=notes)
        text = json.dumps({**record, "report": asdict(report), **facts()}, indent=2, ensure_ascii=False, default=str)
        with atomic_text(beside(output, "manifest.json")) as out:
            out.write(text + "\n")
        journal.remove()
    return report


def beside(output: Path, what: str) -> Path:
    """The file next to ``output`` that says ``what`` about it."""
    return output.with_name(f"{output.name}.{what}")


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """One process at a time works on an output: two would write one journal and lose both jobs."""
    lock = beside(output, "lock")
    with ExitStack() as held:
        try:
            held.enter_context(locked(lock, wait=False))
        except BlockingIOError as error:
            raise ConfigError(f"another process is writing {output}; wait for it, or give another output") from error
        except OSError as error:
            raise InputError(f"{output}: cannot be written: {error.strerror or error}") from error
        held.callback(lock.unlink, missing_ok=True)
        yield


def _checked(rankings: Iterable[Ranking], check: Check) -> Iterator[Ranking]:
    seen = set[str]()
    for ranking in rankings:
        if ranking.query.id in seen:
            raise InputError(f"query {ranking.query.id!r} comes twice; an output holds one ranking per query")
        seen.add(ranking.query.id)
        check(ranking)
        yield ranking


def _header(stage: Stage, k: int | None, depth: int | None, batch: int, texts: bool, trace: bool) -> dict[str, Any]:
    """What must be equal for the rest of a job to give the numbers of the beginning."""
    job = {"job": "rerank", "stage": digest(stage), "k": k, "depth": depth, "batch": batch, "texts": texts}
    return {**job, "trace": trace, "versions": versions()}


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
            ranking = record["ranking"]
            statuses[ranking.get("status", "retrieved")] += 1
            repairs.update(record["repairs"])
            usage += Usage(*record["usage"])
            if "reason" in ranking:
                reasons[ranking["query"]["id"]] = ranking["reason"]
    return RerankReport(statuses.total(), resumed, dict(statuses), reasons, dict(repairs), usage, seconds)
