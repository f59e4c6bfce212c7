"""One query's way through a plan: which groups are due, what came back, and the ranking at the end.

Both drivers use this, so that they cannot disagree. It does no I/O and does not call the scorer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..core.errors import ConfigError, ScoreError
from ..core.plans import Outcome, Round
from ..core.protocols import Schedule, ScoredGroup, Scorer
from ..core.types import MISSING, Call, Group, Ranking, Repair, Scores, Usage
from .budget import Budget

EMPTY_QUERY = "empty_query"


class PlanRun:
    """The state of one query. ``pending`` holds the groups that are due; empty means finished.

    clock: seconds, any origin; a seam for tests of the deadline.
    """

    def __init__(
        self, ranking: Ranking, schedule: Schedule, scorer: Scorer, budget: Budget, clock: Callable[[], float]
    ) -> None:
        self.ranking = ranking
        self.pending: tuple[Group, ...] = ()
        self._scorer, self._budget, self._clock = scorer, budget, clock
        self._began = clock()
        self._calls: list[Call] = []
        self._usage = Usage()
        self._stopped = self._failed = ""
        self._round: Round | None = None
        self._outcome: Outcome | None = None
        self._plan = schedule.plan(len(ranking.candidates))
        self._advance(None)

    def shown(self) -> list[ScoredGroup]:
        """The pending groups as a scorer takes them."""
        return [(self.ranking.query, tuple(self.ranking.candidates[p] for p in group)) for group in self.pending]

    def receive(self, calls: Sequence[Call]) -> None:
        """Take one call per pending group, in order, and move the plan on."""
        assert self._round is not None
        if len(calls) != len(self.pending):
            raise ScoreError(
                f"query {self.ranking.query.id!r}: {len(self.pending)} groups sent, {len(calls)} calls back"
            )
        for group, call in zip(self.pending, calls, strict=True):
            expected = tuple(self.ranking.candidates[p].id for p in group)
            if call.group != expected:
                raise ScoreError(
                    f"query {self.ranking.query.id!r}: documents {expected[:5]} sent, {call.group[:5]} back"
                )
            self._usage += call.usage
        self._calls += calls
        unsent = [(MISSING,) * len(group) for group in self._round.groups[len(self.pending) :]]
        self._advance([*(call.scores for call in calls), *unsent])

    def fail(self, reason: str, answered: Sequence[Call] = ()) -> None:
        """The scorer failed for good: the query is unscored, which is not the same as ranked in first-stage order.

        answered: calls of the round that had come back; what they cost stays on the record.
        """
        self._failed, self.pending = reason, ()
        self._calls += answered

    def result(self, k: int | None = None) -> Ranking:
        """The ranking with its status, scale, reason and trace; that the query has no text is noted there."""
        done = self._finished(k)
        if self.ranking.query.text.strip() or not done.candidates or EMPTY_QUERY in done.repairs:
            return done
        return replace(done, trace=(*done.trace, Call((), (), "", (Repair(EMPTY_QUERY),), Usage())))

    def _finished(self, k: int | None) -> Ranking:
        trace = tuple(self._calls)
        if self._stopped and not trace:
            return self._unscored(self._stopped).top(k)
        if self._failed:
            return self._unscored(self._failed).top(k)
        unread = sum(all(score == MISSING for score in call.scores) for call in trace)
        if trace and unread == len(trace):
            return self._unscored(f"no usable output in {unread} calls").top(k)
        unusable = f"no usable output in {unread} of {len(trace)} calls" if 2 * unread > len(trace) else ""
        reason = "; ".join(filter(None, (self._stopped, unusable)))
        if self.ranking.status in ("partial", "unscored"):  # a later stage does not heal what an earlier one left out
            reason = "; ".join(filter(None, (f"earlier stage {self.ranking.status}: {self.ranking.reason}", reason)))
        if self._outcome is None:
            assert self._round is not None
            done = self.ranking.reorder(self._round.so_far, status="partial", reason=reason, trace=trace)
        else:
            done = self.ranking.reorder(
                self._outcome.order,
                self._outcome.scores,
                scale=self._outcome.scale or self._scorer.scale,
                status="partial" if reason else "ranked",
                reason=reason,
                trace=trace,
            )
        return done.top(k)

    def _unscored(self, reason: str) -> Ranking:
        kept = self.ranking
        return Ranking(
            kept.query, kept.candidates, "unscored", kept.scale, reason, (*kept.trace, *self._calls)
        )  # candidates keep the scores they came with: there are no new ones

    def _advance(self, scores: Sequence[Scores] | None) -> None:
        self.pending = ()
        try:
            current = next(self._plan) if scores is None else self._plan.send(scores)
            while not current.groups:
                current = self._plan.send(())
        except StopIteration as end:
            self._outcome = end.value
            return
        self._round = current
        if self._stopped:
            return
        self._check_sizes(current)
        allowed, why = self._budget.allowed(
            len(current.groups), len(self._calls), self._usage, self._clock() - self._began
        )
        self.pending, self._stopped = current.groups[:allowed], why

    def _check_sizes(self, current: Round) -> None:
        limit = self._scorer.max_group
        largest = max(map(len, current.groups))
        if limit is not None and largest > limit:
            raise ConfigError(
                f"query {self.ranking.query.id!r}: the schedule shows {largest} documents at once, the scorer takes "
                f"at most {limit}; use a schedule with smaller groups, or a smaller depth"
            )
