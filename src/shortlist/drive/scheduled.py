"""A reranker made of a scorer and a schedule: what nearly every published method is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from ..core.errors import ConfigError
from ..core.protocols import AsyncScorer, Schedule, Scorer
from ..core.types import Ranking
from ..pipeline import Stage
from .budget import NO_LIMIT, Budget
from .concurrent import concurrently, run_blocking
from .lockstep import lockstep


@dataclass(frozen=True)
class Scheduled(Stage):
    """Scores groups as the schedule asks for them.

    on_error: ``raise`` stops at the first failing query, ``unscored`` marks it and goes on with the others. Raises
    ConfigError when scorer and schedule do not fit: group sizes, or scores that may not be compared across calls.
    """

    scorer: Scorer
    schedule: Schedule
    budget: Budget = NO_LIMIT
    on_error: Literal["raise", "unscored"] = "raise"

    def __post_init__(self) -> None:
        name = type(self.schedule).__name__
        if self.schedule.needs_across and self.scorer.comparable != "across":
            raise ConfigError(
                f"{name} compares scores of different calls, but the scores of {_name(self.scorer)} mean something "
                "only within one call; use a schedule that orders within groups (SlidingWindow, HeapTopK, ...)"
            )
        size, limit = self.schedule.group_size, self.scorer.max_group
        if size is not None and limit is not None and size > limit:
            raise ConfigError(f"{name} shows {size} documents at once, the scorer takes at most {limit}")

    def rerank(self, rankings: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]:
        """New rankings, same order of queries; ``k`` keeps a prefix of each."""
        if isinstance(self.scorer, AsyncScorer):
            return run_blocking(self.arerank(rankings, k=k))
        isolate = self.on_error == "unscored"
        return lockstep(self.scorer, self.schedule, rankings, k=k, budget=self.budget, isolate=isolate)

    async def arerank(self, rankings: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]:
        """The same for callers with an event loop; needs a scorer that can wait (``ascore``)."""
        if not isinstance(self.scorer, AsyncScorer):
            raise ConfigError(f"{type(self.scorer).__name__} is not asynchronous; use rerank(), or wrap it in Threaded")
        isolate = self.on_error == "unscored"
        return await concurrently(self.scorer, self.schedule, rankings, k=k, budget=self.budget, isolate=isolate)

    def rerank_iter(self, rankings: Iterable[Ranking], *, k: int | None = None, batch: int = 16) -> Iterator[Ranking]:
        """Stream: reads ``batch`` rankings ahead, yields them in order as they are done."""
        source = iter(rankings)
        while chunk := list(islice(source, batch)):
            yield from self.rerank(chunk, k=k)


def _name(scorer: Scorer) -> str:
    readout = getattr(scorer, "readout", None)
    return type(scorer).__name__ + (f" with {type(readout).__name__}" if readout is not None else "")
