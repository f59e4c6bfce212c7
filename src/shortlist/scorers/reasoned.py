"""A language model that thinks first and is then asked for a label: two requests about each group.

Source: Weller et al. 2025, arXiv 2502.18418 (Rank1), and its code (orionw/rank1 30585c2): a thought that was cut by the
length limit ends at its last whole sentence and is closed by force. It does not know what labels mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..core.errors import ConfigError
from ..core.exchange import Completion, Reading, Request
from ..core.protocols import Capability, GenerateBackend, Prompt, Readout, ScoredGroup
from ..core.types import Repair, Scores
from .prompted import Prompted
from .prompted_async import AsyncGenerateBackend, PromptedAsync

_ENDS = (".", "!", "?")
_CLOSING = 8  # tokens of the answer's length that are kept for closing the thought


@dataclass(frozen=True)
class Reasoned(Prompted):
    """``Prompted`` in two phases: text behind the prompt's prefill up to ``close``, then labels behind that.

    A thought that ends without ``close`` is closed as it stands when the model ended it (the authors cut it at its last
    sentence then, too; what ended a text is not known here), and after its last whole sentence when the length limit
    did (repair ``forced_close``). The usage of both requests counts.
    """

    close: str = "</think>"
    steps_per_round = 2  # the label is asked for when the thought is there

    def requests_for(self, n: int) -> int:
        """Requests about one group of ``n``: the thought and the label."""
        return 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.close.strip():
            raise ConfigError(f"close={self.close!r}: expected what ends a thought, such as '</think>'")
        if Capability.GENERATE not in self.backend.capabilities:
            raise ConfigError(f"Reasoned needs the capability generate; {type(self.backend).__name__} lacks it")

    @property
    def requires(self) -> frozenset[Capability]:
        return frozenset({Capability.GENERATE}) | self.readout.requires

    def _ask(self, requests: list[Request], groups: Sequence[ScoredGroup]) -> list[tuple[Completion, Reading]]:
        thoughts = self.backend.generate([self._thinking(request) for request in requests])
        closed = [self._closed(request, thought) for request, thought in zip(requests, thoughts, strict=True)]
        answers = self.backend.generate([request for request, _ in closed])
        return [
            self._read(request, answer, (*thought.repairs, *forced), thought, group)
            for (request, forced), answer, thought, group in zip(closed, answers, thoughts, groups, strict=True)
        ]

    def _thinking(self, request: Request) -> Request:
        tokens = max(1, request.max_tokens - _CLOSING)
        stop = tuple(dict.fromkeys((*request.stop, self.close)))
        return replace(request, labels=(), stop=stop, max_tokens=tokens, logprobs=False, answer=_some_thought)

    def _closed(self, request: Request, thought: Completion) -> tuple[Request, tuple[Repair, ...]]:
        """The request for the label, and whether the thought had to be closed by force."""
        text = thought.text.removeprefix(request.prefill).partition(self.close)[0]
        forced: tuple[Repair, ...] = ()
        if not thought.finished:
            text = f"\n{whole_sentences(text)}\n"
            forced = (Repair("forced_close", detail=f"{thought.usage.completion_tokens} tokens of thought"),)
        return replace(request, thought=text, closing=self.close, max_tokens=1), forced

    def _read(
        self, request: Request, answer: Completion, repairs: tuple[Repair, ...], thought: Completion, group: ScoredGroup
    ) -> tuple[Completion, Reading]:
        usage = thought.usage + answer.usage
        joined = replace(answer, text=request.begin, usage=usage, repairs=(*repairs, *answer.repairs))
        return joined, self.readout.read(answer, len(group[1]))


@dataclass(frozen=True)
class ReasonedAsync(Reasoned, PromptedAsync):
    """``Reasoned`` with ``ascore``. The same answers give the same calls."""

    backend: AsyncGenerateBackend

    async def _aask(self, request: Request, group: ScoredGroup) -> tuple[Completion, Reading]:
        thought = await self.backend.agenerate(self._thinking(request))
        closed, forced = self._closed(request, thought)
        answer = await self.backend.agenerate(closed)
        return self._read(closed, answer, (*thought.repairs, *forced), thought, group)


def whole_sentences(text: str) -> str:
    """``text`` up to its last full stop, exclamation or question mark, if it has one.

    >>> whole_sentences("It rains. The sky is")
    'It rains.'
    """
    text = text.rstrip()
    last = max(text.rfind(mark) for mark in _ENDS)
    return (text if last < 0 else text[: last + 1]).strip()


def reasoned(
    prompt: Prompt,
    readout: Readout,
    backend: GenerateBackend,
    *,
    on_malformed: Literal["repair", "retry", "raise"] = "repair",
    retries: int = 2,
    close: str = "</think>",
) -> Reasoned:
    """A ``ReasonedAsync`` when the backend has ``agenerate`` (an endpoint), else a ``Reasoned`` (a local model)."""
    kind: Any = ReasonedAsync if hasattr(backend, "agenerate") else Reasoned
    scorer: Reasoned = kind(prompt, readout, backend, on_malformed, retries, close)
    return scorer


def _some_thought(scores: Scores) -> Completion:
    """What a fake model thinks."""
    return Completion("So it is.")
