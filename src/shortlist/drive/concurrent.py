"""The driver for remote models: one task per query, and no more groups under way than the scorer's concurrency.

The results are those of ``lockstep``: both move the same ``PlanRun``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from ..core.errors import ConfigError
from ..core.protocols import AsyncScorer, Comparable, Schedule, ScoredGroup, Scorer
from ..core.types import Call, Ranking, Scale
from ..core.waiting import gathered
from .budget import NO_LIMIT, Budget
from .lockstep import FAILURES
from .planrun import PlanRun

T = TypeVar("T")


async def concurrently(
    scorer: AsyncScorer,
    schedule: Schedule,
    rankings: Sequence[Ranking],
    *,
    k: int | None = None,
    budget: Budget = NO_LIMIT,
    isolate: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> list[Ranking]:
    """Rerank all rankings at once. isolate: a failing query becomes ``unscored`` and the others go on."""
    gate = asyncio.Semaphore(scorer.concurrency)

    async def ask(group: ScoredGroup, answered: list[Call]) -> Call:
        async with gate:
            call = await scorer.ascore(group)
        answered.append(call)
        return call

    async def one(ranking: Ranking) -> Ranking:
        run = PlanRun(ranking, schedule, scorer, budget, clock)
        while run.pending:
            answered: list[Call] = []
            try:
                run.receive(await gathered([ask(group, answered) for group in run.shown()]))
            except FAILURES as error:
                if not isolate:
                    raise
                run.fail(f"{type(error).__name__}: {error}", answered)
        return run.result(k)

    return await gathered([one(ranking) for ranking in rankings])


@dataclass(frozen=True)
class Threaded:
    """Any scorer as an asynchronous one: each group is scored in a thread, ``concurrency`` at a time."""

    scorer: Scorer
    concurrency: int = 4

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ConfigError(f"concurrency={self.concurrency}: expected 1 or more")

    @property
    def comparable(self) -> Comparable:
        return self.scorer.comparable

    @property
    def max_group(self) -> int | None:
        return self.scorer.max_group

    @property
    def scale(self) -> Scale:
        return self.scorer.scale

    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        return self.scorer.score(groups)

    async def ascore(self, group: ScoredGroup) -> Call:
        (call,) = await asyncio.to_thread(self.scorer.score, [group])
        return call


def run_blocking(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, also from inside a running event loop (a notebook), where it gets its own thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()
