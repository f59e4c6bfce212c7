"""``Prompted`` for models that are waited for: while one query waits, the others go on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from ..core.exchange import Completion, Reading, Request
from ..core.protocols import GenerateBackend, Prompt, Readout, ScoredGroup
from ..core.types import Call, Repair
from .prompted import Prompted


class AsyncGenerateBackend(GenerateBackend, Protocol):
    """A generating backend that also answers one request at a time asynchronously, up to ``concurrency`` at once."""

    @property
    def concurrency(self) -> int: ...
    async def agenerate(self, request: Request) -> Completion: ...


@dataclass(frozen=True)
class PromptedAsync(Prompted):
    """``Prompted`` with ``ascore``, so that the concurrent driver is used. The same answers give the same calls."""

    backend: AsyncGenerateBackend

    @property
    def concurrency(self) -> int:
        return self.backend.concurrency

    async def ascore(self, group: ScoredGroup) -> Call:
        """One call. Raises OutputError under ``on_malformed="raise"``."""
        request = self._request(group)
        completion, reading = await self._aask(request, group)
        for attempt in range(1, self.retries + 1 if self.on_malformed == "retry" else 1):
            if reading.valid:
                break
            spent = completion.usage
            completion, reading = await self._aask(replace(request, attempt=attempt), group)
            completion = replace(completion, usage=spent + completion.usage)
            reading = replace(reading, repairs=(*reading.repairs, Repair("retried", attempt)))
        return self._call(group, request.repairs, completion, reading)

    async def _aask(self, request: Request, group: ScoredGroup) -> tuple[Completion, Reading]:
        completion = await self.backend.agenerate(request)
        return completion, self.readout.read(completion, len(group[1]))


def prompted(
    prompt: Prompt,
    readout: Readout,
    backend: GenerateBackend,
    *,
    on_malformed: Literal["repair", "retry", "raise"] = "repair",
    retries: int = 2,
) -> Prompted:
    """A ``PromptedAsync`` when the backend has ``agenerate`` (an endpoint), else a ``Prompted`` (a local model)."""
    kind: Any = PromptedAsync if hasattr(backend, "agenerate") else Prompted
    scorer: Prompted = kind(prompt, readout, backend, on_malformed, retries)
    return scorer
