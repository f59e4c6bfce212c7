"""A teacher that is asked several times, and believed where it agrees with itself.

Sources: permutation self-consistency (Tang et al. 2023, arXiv 2310.07712: shuffled presentations, one order of all; as
in the method ``self-consistency`` the mean rank instead of the Kemeny-optimal order); ERank (arXiv 2509.00520: of three
grades of a document the answer nearest to their mean). Unlike that method this keeps the runs apart, since how far they
agree decides what is a sample.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

from .. import fuse
from ..core.errors import ConfigError
from ..core.exchange import Completion, Request
from ..core.types import MISSING, Call, Candidate, Ranking, Usage
from ..drive import Scheduled
from ..pipeline import Head, Stage, Then

_SAID = re.compile(r"agreement (-?[\d.]+)")
_APART = 16  # attempts between two runs: more than a scorer retries


@dataclass(frozen=True)
class SelfConsistent(Stage):
    """Asks ``teacher`` ``times`` times; a query whose orders agree less than ``least`` is ``unscored``, and says why.

    Agreement is the mean of Kendall's tau-b over all pairs of runs (1: the same order; ties on both sides do not
    count). shuffle: every run but the first sees the candidates in another order. resample: every run but the first is
    asked as a retry, which local models answer with their ``retry_temperature`` and caches keep apart. keep:
    ``closest``, the run that agrees best with the others, whose answers are kept too; of teachers that are asked about
    single documents the answer nearest to each document's mean, which becomes its score. ``mean``: the order by mean
    rank (scale POINTS), without answers.
    """

    teacher: Stage
    times: int = 3
    least: float = 0.5
    keep: Literal["closest", "mean"] = "closest"
    shuffle: bool = True
    resample: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.times < 2 or not -1 <= self.least <= 1 or self.keep not in ("closest", "mean"):
            raise ConfigError(
                f"times={self.times}, least={self.least}, keep={self.keep!r}: expected 2 or more, -1 to 1, "
                "'closest' or 'mean'"
            )
        if not (self.shuffle or self.resample):
            raise ConfigError(
                "a teacher that is neither shuffled nor resampled says the same again; ask for one of them"
            )
        readout = getattr(getattr(self.teacher, "scorer", None), "readout", None)
        if not self.resample and readout is not None and readout.max_group == 1:
            raise ConfigError(
                "a teacher that is asked about single documents says the same again, however they are shuffled; ask "
                "for resample=True (--resample)"
            )

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        runs = []
        for run in range(self.times):
            teacher = _again(self.teacher, run * _APART) if self.resample and run else self.teacher
            runs.append(teacher.apply([self._shown(ranking, run) for ranking in rankings]))
        said = zip(*runs, strict=True)
        return [self._judged(ranking, one).top(k) for ranking, one in zip(rankings, said, strict=True)]

    def _shown(self, ranking: Ranking, run: int) -> Ranking:
        """What a run sees; first ranks and scores stay those of the ranking that was given."""
        placed = [
            Candidate(c.document, c.score, c.came_with, i if c.first_rank is None else c.first_rank)
            for i, c in enumerate(ranking.candidates)
        ]
        if self.shuffle and run:
            placed = random.Random(f"{self.seed}-{run}-{ranking.query.id}").sample(placed, len(placed))
        return replace(ranking, candidates=tuple(placed), trace=())

    def _judged(self, given: Ranking, runs: Sequence[Ranking]) -> Ranking:
        heard = [run for run in runs if run.status != "unscored"]
        spent = sum((run.usage for run in runs), Usage())
        mended = tuple(repair for run in runs for call in run.trace for repair in call.repairs)
        if len(heard) < 2:
            why = next((run.reason for run in runs if run.reason), "")
            return replace(given, status="unscored", reason=f"{len(heard)} of {self.times} runs ended: {why}",
                           trace=(Call((), (), "agreement -1", mended, spent),))  # fmt: skip
        scores = [_scores(run) for run in heard]
        table = {(a, b): tau_b(scores[a], scores[b]) for a, b in combinations(range(len(heard)), 2)}
        agreement = sum(table.values()) / len(table)
        if agreement < self.least:
            why = f"its {len(heard)} orders agree by {agreement:.2f}, below {self.least:.2f}"
            note = Call((), (), _noted(agreement), mended, spent)
            return replace(given, status="unscored", reason=why, trace=(note,))
        if self.keep == "mean":
            return replace(fuse.borda(heard), trace=(Call((), (), _noted(agreement), mended, spent),))
        kept = _by_document(heard) or heard[_closest(table, len(heard))]
        others = tuple(r for run in runs for call in run.trace if call not in kept.trace for r in call.repairs)
        note = Call((), (), _noted(agreement), others, _minus(spent, kept.usage))
        return replace(kept, trace=(*kept.trace, note))


def agreement_of(ranking: Ranking) -> float | None:
    """What ``SelfConsistent`` noted in the trace; None when there is no note."""
    for call in ranking.trace:
        found = None if call.group else _SAID.fullmatch(call.output)
        if found is not None:
            return float(found[1])
    return None


def tau_b(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Kendall's tau-b of two scorings of the same documents; 1 where both tie all of them, 0 where one does.

    Source: Kendall 1945, Biometrika.

    >>> tau_b({"a": 2, "b": 1, "c": 0}, {"a": 2, "b": 0, "c": 1}), tau_b({"a": 1, "b": 1}, {"a": 0, "b": 1})
    (0.3333333333333333, 0.0)
    """
    same = first = second = 0
    pairs = list(combinations(one, 2))
    for a, b in pairs:
        x, y = _sign(one[a], one[b]), _sign(other[a], other[b])
        same, first, second = same + x * y, first + (x != 0), second + (y != 0)
    if not first or not second:
        return float(first == second)
    return same / math.sqrt(first * second)


def _sign(a: float, b: float) -> int:
    return (a > b) - (a < b)


def _scores(ranking: Ranking) -> dict[str, float]:
    return {c.id: MISSING if c.score is None else c.score for c in ranking.candidates}


def _closest(table: Mapping[tuple[int, int], float], count: int) -> int:
    """The run with the highest sum of agreements; the first of equals."""
    return max(range(count), key=lambda i: sum(tau for pair, tau in table.items() if i in pair))


def _by_document(runs: Sequence[Ranking]) -> Ranking | None:
    """Per document the mean score, and the answer nearest to it; None unless every call was about one document."""
    calls = [call for run in runs for call in run.trace]
    if not calls or any(len(call.group) != 1 for call in calls):
        return None
    by_id: dict[str, list[Call]] = {}
    for call in calls:
        by_id.setdefault(call.group[0], []).append(call)
    first = runs[0]
    means, kept = [], []
    for doc_id in first.ids:
        said = [call for call in by_id.get(doc_id, ()) if call.scores[0] != MISSING]
        means.append(sum(c.scores[0] for c in said) / len(said) if said else MISSING)
        kept += [min(said, key=lambda call: abs(call.scores[0] - means[-1]))] if said else []
    if not kept:
        return None
    order = sorted(range(len(means)), key=lambda i: -means[i])
    return replace(replace(first, trace=()).reorder(order, means, scale=first.scale), trace=tuple(kept))


def _noted(agreement: float) -> str:
    return f"agreement {agreement:.6f}"


def _minus(all_: Usage, part: Usage) -> Usage:
    return Usage(*(getattr(all_, name) - getattr(part, name) for name in Usage.__slots__))


def _again(stage: Any, attempt: int) -> Stage:
    """The stage with its language models asked as a retry of that number."""
    if isinstance(stage, Then):
        return replace(stage, stages=tuple(_again(one, attempt) for one in stage.stages))
    if isinstance(stage, Head):
        return replace(stage, stage=_again(stage.stage, attempt))
    scorer: Any = getattr(stage, "scorer", None)
    backend = getattr(scorer, "backend", None)
    if not isinstance(stage, Scheduled) or not hasattr(backend, "generate"):
        raise ConfigError(f"{type(stage).__name__} asks no language model; resample=True has nothing to sample from")
    return replace(stage, scorer=replace(scorer, backend=_Retrying(backend, attempt)))


@dataclass(frozen=True)
class _Retrying:
    """A backend whose requests count as retries."""

    backend: Any
    attempt: int

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        found: list[Completion] = self.backend.generate([self._later(request) for request in requests])
        return found

    async def agenerate(self, request: Request) -> Completion:
        found: Completion = await self.backend.agenerate(self._later(request))
        return found

    def _later(self, request: Request) -> Request:
        return replace(request, attempt=request.attempt + self.attempt)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copying asks for such names before there is a backend
            raise AttributeError(name)
        return getattr(self.backend, name)
