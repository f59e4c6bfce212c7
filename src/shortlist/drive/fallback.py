"""A chain of stages for when one fails: what the first leaves unscored goes to the next, query by query.

It does not judge answers: a stage that answers badly has answered. A ``partial`` result is an answer too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..core.errors import BackendError, ConfigError
from ..core.types import Call, Ranking
from ..pipeline import Cutoff, Head, Stage, Then
from .limits import limited
from .lockstep import FAILURES


@dataclass(frozen=True)
class Fallback(Stage):
    """``stages`` in the order in which they are tried, each with the ranking that came in, not with a failed attempt.

    A stage fails a query when it returns it ``unscored`` or raises what scorers raise (a dead endpoint, output that
    cannot be read); the other queries of the batch are not affected. A mistake in the configuration is raised at once.

    What stands on the results: ``reason`` is the answering stage's own (usually empty) when that is the first stage;
    else it says why each earlier one failed and which one answered ("rankgpt: BackendError: ...; answered by
    cross-encoder"), and ``status`` is the answering stage's. When all fail, the order and the scores are those that
    came in (the first stage's) and the status is ``unscored``. The calls of failed attempts stay in the trace, so
    usage is what was spent.

    names: what the stages are called in reasons. on_error: when all stages fail a query: ``unscored``, or ``raise``.
    """

    stages: tuple[Stage, ...]
    names: tuple[str, ...] = ()
    on_error: Literal["raise", "unscored"] = "unscored"

    def __post_init__(self) -> None:
        if not self.stages:
            raise ConfigError("a fallback chain needs at least one stage")
        if self.names and len(self.names) != len(self.stages):
            raise ConfigError(f"{len(self.stages)} stages and {len(self.names)} names {self.names}; give one each")

    def rerank(self, rankings: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]:
        """New rankings, same order of queries. Raises BackendError under ``on_error="raise"``."""
        results: dict[int, Ranking] = {}
        failed: dict[int, _Failed] = {i: _Failed() for i in range(len(rankings))}
        names = self.names or tuple(f"stage {number}" for number in range(1, len(self.stages) + 1))
        for name, stage in zip(names, self.stages, strict=True):
            left = sorted(failed)
            answers = _isolated(limited(stage, on_error="unscored")).apply([rankings[i] for i in left])
            for i, answer in zip(left, answers, strict=True):
                if answer.status == "unscored":
                    failed[i] = failed[i].and_then(name, answer, since=len(rankings[i].trace))
                else:
                    results[i] = failed.pop(i).told(answer, name, since=len(rankings[i].trace))
        for i, attempts in failed.items():
            results[i] = self._given_up(rankings[i], attempts)
        return [results[i].top(k) for i in range(len(rankings))]

    def _given_up(self, ranking: Ranking, attempts: _Failed) -> Ranking:
        reason = "; ".join(attempts.reasons)
        if self.on_error == "raise":
            raise BackendError(f"query {ranking.query.id!r}: every stage failed: {reason}")
        return replace(ranking, status="unscored", reason=reason, trace=(*ranking.trace, *attempts.calls))


@dataclass(frozen=True, slots=True)
class _Failed:
    """What was tried for one query and did not answer."""

    reasons: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()

    def and_then(self, name: str, answer: Ranking, since: int) -> _Failed:
        return _Failed((*self.reasons, f"{name}: {answer.reason}"), (*self.calls, *answer.trace[since:]))

    def told(self, answer: Ranking, name: str, since: int) -> Ranking:
        """``answer`` with the story of the attempts before it, and their calls in front of its own."""
        if not self.reasons:
            return answer
        own = f"answered by {name}" + (f" ({answer.reason})" if answer.reason else "")
        trace = (*answer.trace[:since], *self.calls, *answer.trace[since:])
        return replace(answer, reason="; ".join((*self.reasons, own)), trace=trace)


def _isolated(stage: Stage) -> Stage:
    """``stage`` so that it fails single queries, not batches. A step of a chain that raises is asked again by itself:
    what the steps before it have answered is kept."""
    if isinstance(stage, Then):
        return replace(stage, stages=tuple(map(_isolated, stage.stages)))
    if isinstance(stage, (Head, Cutoff)):
        return replace(stage, stage=_isolated(stage.stage))
    return _Isolated(stage)


@dataclass(frozen=True)
class _Isolated(Stage):
    """The stage's results; when it raises, one query after the other, and those that raise are unscored."""

    stage: Stage

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        if not rankings:
            return []
        try:
            return self.stage.apply(rankings, k)
        except FAILURES as error:
            if len(rankings) == 1:
                return [replace(rankings[0], status="unscored", reason=f"{type(error).__name__}: {error}")]
        return [result for ranking in rankings for result in self.apply([ranking], k)]
