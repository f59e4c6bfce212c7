"""The driver for local models: all queries advance together, and one scorer call holds the due groups of all of them.

Big batches keep a local model busy; the price is that a fast query waits for a slow one, so remote scorers use
``concurrent``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..core.errors import BackendError, InputError, OutputError, ScoreError
from ..core.protocols import Schedule, Scorer
from ..core.types import Ranking
from .budget import NO_LIMIT, Budget
from .planrun import PlanRun

FAILURES = (BackendError, InputError, OutputError, ScoreError)
"""What a scorer may raise without it being a mistake in the configuration."""


def lockstep(
    scorer: Scorer,
    schedule: Schedule,
    rankings: Sequence[Ranking],
    *,
    k: int | None = None,
    budget: Budget = NO_LIMIT,
    isolate: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> list[Ranking]:
    """Rerank all rankings in rounds. isolate: a failing query becomes ``unscored`` and the others go on."""
    runs = [PlanRun(ranking, schedule, scorer, budget, clock) for ranking in rankings]
    while active := [run for run in runs if run.pending]:
        try:
            _step(scorer, active)
        except FAILURES:
            if not isolate:
                raise
            _one_by_one(scorer, active)
    return [run.result(k) for run in runs]


def _step(scorer: Scorer, active: Sequence[PlanRun]) -> None:
    groups = [group for run in active for group in run.shown()]
    calls = scorer.score(groups)
    if len(calls) != len(groups):
        raise ScoreError(f"{len(groups)} groups were sent to the scorer, {len(calls)} calls came back")
    start = 0
    for run, size in [(run, len(run.pending)) for run in active]:
        run.receive(calls[start : start + size])
        start += size


def _one_by_one(scorer: Scorer, active: Sequence[PlanRun]) -> None:
    for run in active:
        if run.pending:
            try:
                _step(scorer, [run])
            except FAILURES as error:
                run.fail(f"{type(error).__name__}: {error}")
