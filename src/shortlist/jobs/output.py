"""What a job writes: the reranked run, and the first stage beside it when it was made on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ..core.errors import ConfigError, InputError
from ..core.types import Ranking
from ..formats.jsonl import write_jsonl
from ..formats.run import writable, write_run
from .rerank import Check, Writer


def holds_texts(output: Path) -> bool:
    """True for ``.jsonl`` (also packed): an output that holds texts, scales, statuses and traces, not only a run.

    Raises ConfigError for a name that promises another format, and for what is no file.
    """
    if str(output) == "-" or output.is_dir():
        raise ConfigError(f"{output}: the output must be a file; a job keeps a journal and a manifest beside it")
    if not output.parent.is_dir():
        raise ConfigError(f"{output}: there is no folder {output.parent}")
    suffix = (output.with_suffix("") if output.suffix in (".gz", ".xz") else output).suffix.lower()
    if suffix in (".json", ".csv", ".tsv"):
        raise ConfigError(f"{output}: rerank writes TREC runs and .jsonl; `shortlist convert` makes {suffix} of these")
    return suffix == ".jsonl"


def check_for(output: Path) -> Check:
    """What an output of that name cannot hold is refused before it is computed."""
    return _nothing if holds_texts(output) else _writable_ids


def _nothing(ranking: Ranking) -> None:
    return None


def _writable_ids(ranking: Ranking) -> None:
    try:
        writable(ranking.query.id, "query id")
        for doc_id in ranking.ids:
            writable(doc_id, "document id", ranking.query.id)
    except InputError as error:
        raise InputError(f"{error}; give the output a name that ends in .jsonl") from error


def writer_for(output: Path) -> Writer:
    """The writer that the output's name asks for: ``.jsonl`` holds everything, any other name is a TREC run.

    A run cannot say that a query was not scored, so such queries are left out of it: a reader must not take the first
    stage's order for a result.
    """
    return write_jsonl if holds_texts(output) else _write_scored


def _write_scored(rankings: Iterable[Ranking], path: Path) -> tuple[str, ...]:
    """Returns what had to be done to scores, one sentence per kind, for the manifest."""
    notes: Counter[str] = Counter()
    write_run((r for r in rankings if r.status != "unscored"), path).note(notes)
    return tuple(f"{count} {what}" for what, count in notes.items() if count)


def first_stage_path(output: Path) -> Path:
    """Where the first stage of ``output`` is written."""
    stem = output.stem if output.suffix == ".trec" else output.name  # a.trec and a.jsonl do not share one
    return output.with_name(f"{stem}.first-stage.trec")
