"""A rerank service as a scorer: one call per group, all documents of the group in it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..core.errors import ConfigError
from ..core.exchange import Reading
from ..core.protocols import Backend, Comparable, ScoredGroup
from ..core.types import Call, Scale, Usage


class ListBackend(Backend, Protocol):
    """A service that scores the documents of a query together and waits for it asynchronously.

    concurrency: calls that may be under way at once. most: documents per request; ``None`` is no limit.
    """

    @property
    def concurrency(self) -> int: ...
    @property
    def most(self) -> int | None: ...
    @property
    def scale(self) -> Scale: ...
    async def arerank(self, query: str, documents: Sequence[str]) -> tuple[Reading, Usage]: ...


@dataclass(frozen=True)
class RemoteRerank:
    """Scores whole lists by a rerank service (``RerankEndpoint``); meant for the schedule ``Once``.

    comparable: ``across`` for services that judge each document alone (nearly all), so that lists longer than a request
    are sent in parts and pooled; ``within`` for listwise models, which refuses longer lists.
    """

    backend: ListBackend
    comparable: Comparable = "across"

    def __post_init__(self) -> None:
        if self.comparable not in ("across", "within"):
            raise ConfigError(f"comparable={self.comparable!r}: expected 'across' or 'within'")

    @property
    def max_group(self) -> int | None:
        return self.backend.most if self.comparable == "within" else None

    @property
    def scale(self) -> Scale:
        return self.backend.scale

    @property
    def concurrency(self) -> int:
        return self.backend.concurrency

    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        """One call per group, all under way at once; for use outside of an event loop."""

        async def together() -> list[Call]:
            return list(await asyncio.gather(*(self.ascore(group) for group in groups)))

        return asyncio.run(together())

    async def ascore(self, group: ScoredGroup) -> Call:
        query, candidates = group
        reading, usage = await self.backend.arerank(query.text, [c.document.full_text for c in candidates])
        if not usage.calls:
            usage += Usage(calls=1)
        return Call(tuple(c.id for c in candidates), reading.scores, "", reading.repairs, usage)
