"""What a job writes: the reranked run, and the first stage beside it when it was made on the way."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..core.types import Ranking
from ..formats.jsonl import write_jsonl
from ..formats.run import write_run
from .rerank import Writer


def writer_for(output: Path) -> Writer:
    """The writer that the output's name asks for: ``.jsonl`` holds everything, any other name is a TREC run.

    A run cannot say that a query was not scored, so such queries are left out of it: a reader must not take the first
    stage's order for a result.
    """
    return write_jsonl if output.suffix == ".jsonl" else _write_scored


def _write_scored(rankings: Iterable[Ranking], path: Path) -> object:
    return write_run((r for r in rankings if r.status != "unscored"), path)


def first_stage_path(output: Path) -> Path:
    """Where the first stage of ``output`` is written."""
    return output.with_name(f"{output.stem}.first-stage.trec")
