"""A language model as a scorer: prompt x readout x backend, three parts that do not know each other.

They are checked against each other when the scorer is built. What a model says is never trusted: the readout repairs
and counts, and ``on_malformed`` decides what happens when nothing usable was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..core.errors import ConfigError, OutputError
from ..core.exchange import Completion, Reading, Request
from ..core.protocols import Capability, Comparable, GenerateBackend, Prompt, Readout, ScoredGroup
from ..core.types import Call, Repair, Scale


@dataclass(frozen=True)
class Prompted:
    """Asks a language model about each group.

    on_malformed: what to do when a readout says the output is invalid. ``repair`` keeps the readout's scores (usually
    MISSING) and the repair on the call; ``retry`` asks again up to ``retries`` times, then repairs; ``raise`` raises
    OutputError.
    """

    prompt: Prompt
    readout: Readout
    backend: GenerateBackend
    on_malformed: Literal["repair", "retry", "raise"] = "repair"
    retries: int = 2

    def __post_init__(self) -> None:
        lacking = self.readout.requires - self.backend.capabilities
        if lacking:
            has = ", ".join(sorted(self.backend.capabilities)) or "nothing"
            raise ConfigError(
                f"{type(self.readout).__name__} needs the capability {', '.join(sorted(lacking))}; "
                f"{type(self.backend).__name__} has {has}"
            )
        if self.on_malformed not in ("repair", "retry", "raise"):
            raise ConfigError(f"on_malformed={self.on_malformed!r}: expected 'repair', 'retry' or 'raise'")
        if self.retries < 0:
            raise ConfigError(f"retries={self.retries}: expected 0 or more")

    @property
    def requires(self) -> frozenset[Capability]:
        return self.readout.requires

    @property
    def comparable(self) -> Comparable:
        return self.readout.comparable

    @property
    def max_group(self) -> int | None:
        return self.readout.max_group

    @property
    def scale(self) -> Scale:
        return self.readout.scale

    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        """One call per group. Raises OutputError under ``on_malformed="raise"``."""
        requests = [self._request(group) for group in groups]
        answers = self._ask(requests, groups)
        for attempt in range(1, self.retries + 1 if self.on_malformed == "retry" else 1):
            again = [i for i, (_, reading) in enumerate(answers) if not reading.valid]
            if not again:
                break
            renewed = self._ask([replace(requests[i], attempt=attempt) for i in again], [groups[i] for i in again])
            for i, (completion, reading) in zip(again, renewed, strict=True):
                spent = answers[i][0].usage + completion.usage
                repairs = (*reading.repairs, Repair("retried", attempt))
                answers[i] = (replace(completion, usage=spent), replace(reading, repairs=repairs))
        asked = zip(groups, requests, answers, strict=True)
        return [self._call(group, request.repairs, *answer) for group, request, answer in asked]

    def _request(self, group: ScoredGroup) -> Request:
        query, candidates = group
        request = self.prompt.render(query, candidates, labels=self.readout.labels(len(candidates)))
        spoken = Capability.TOKEN_LOGPROBS in self.readout.requires
        return replace(request, group=(query, tuple(candidates)), answer=self.readout.write, logprobs=spoken)

    def _ask(self, requests: list[Request], groups: Sequence[ScoredGroup]) -> list[tuple[Completion, Reading]]:
        completions = self.backend.generate(requests)
        return [
            (completion, self.readout.read(completion, len(candidates)))
            for completion, (_, candidates) in zip(completions, groups, strict=True)
        ]

    def _call(self, group: ScoredGroup, rendered: tuple[Repair, ...], completion: Completion, reading: Reading) -> Call:
        query, candidates = group
        if not reading.valid and self.on_malformed == "raise":
            what = ", ".join(r.kind for r in reading.repairs) or "nothing usable"
            raise OutputError(f"query {query.id!r}: {what} in the model's output {completion.text[:80]!r}")
        repairs = (*rendered, *completion.repairs, *reading.repairs)
        return Call(tuple(c.id for c in candidates), reading.scores, _said(completion), repairs, completion.usage)


def _said(completion: Completion) -> str:
    """The text, with a thought that the server keeps apart in front of it: a trace can be learned from."""
    return f"<think>{completion.reasoning}</think>\n{completion.text}" if completion.reasoning else completion.text
