"""Runs a schedule with a judge in place of a scorer: what it costs, and what it can achieve, without any model.

Knows nothing of texts, tokens or seconds. The noisy judge errs independently for every document and call; the errors of
real models are correlated, so differences between schedules are upper bounds of what repeating buys.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from ..core.errors import ConfigError, RankingError
from ..core.plans import Outcome, Round
from ..core.protocols import Schedule
from ..core.types import MISSING, Group, Order, Scores

Judge = Callable[[Group], Scores]
"""Gives one score per position of a group, in its order."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """One run: the order it ended with, and what it took.

    calls: groups scored. steps: rounds, which must wait for each other. documents: documents shown, over all calls.
    """

    order: Order
    calls: int
    steps: int
    documents: int
    largest_group: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Means over several runs; ``largest_group`` is their maximum."""

    calls: float
    steps: float
    documents: float
    largest_group: int


def simulate(schedule: Schedule, n: int, judge: Judge) -> Simulation:
    """Run ``schedule`` over ``n`` documents. Raises RankingError when it asks for or returns what does not exist.

    >>> from shortlist.schedules import SlidingWindow
    >>> simulate(SlidingWindow(), 100, perfect([*range(100)])).calls
    9
    """
    calls = steps = documents = largest = 0
    plan = schedule.plan(n)
    try:
        asked = next(plan)
        while True:
            _check_round(schedule, n, asked)
            sizes = [len(group) for group in asked.groups]
            calls, steps, documents = calls + len(sizes), steps + 1, documents + sum(sizes)
            largest = max(largest, *sizes)
            asked = plan.send([judge(group) for group in asked.groups])
    except StopIteration as done:
        outcome: Outcome = done.value
    _check_order(schedule, n, outcome.order)
    return Simulation(outcome.order, calls, steps, documents, largest)


def perfect(relevance: Sequence[float]) -> Judge:
    """A judge that never errs: the score of a document is its relevance. ``relevance`` is by position."""
    return lambda group: tuple(float(relevance[i]) for i in group)


def noisy(relevance: Sequence[float], sigma: float, seed: int = 0) -> Judge:
    """Adds Gaussian noise to every relevance, drawn anew for every document of every call."""
    random = Random(seed)
    return lambda group: tuple(relevance[i] + random.gauss(0, sigma) for i in group)


def silent(group: Group) -> Scores:
    """A judge that never says anything: every score is MISSING."""
    return (MISSING,) * len(group)


def first_stage(n: int, sigma: float, seed: int = 0) -> list[float]:
    """Relevance by position of a first stage that sorted by true rank + Gaussian noise; ``sigma=inf`` shuffles.

    The best of the ``n`` documents has relevance ``n``, the last has 1.
    """
    random = Random(seed)
    if math.isinf(sigma):
        return [float(n - rank) for rank in random.sample(range(n), n)]
    return [float(n - rank) for rank in sorted(range(n), key=lambda rank: rank + random.gauss(0, sigma))]


def cost(schedule: Schedule, n: int = 100, *, sigma: float = 15.0, seeds: Iterable[int] = range(20)) -> Cost:
    """What ``schedule`` takes for ``n`` documents with a perfect judge, as the mean over first stages of noise
    ``sigma``.

    >>> from shortlist.schedules import TopDownPartition
    >>> cost(TopDownPartition(), sigma=0.0).calls
    6.0
    """
    runs = [simulate(schedule, n, perfect(first_stage(n, sigma, seed))) for seed in seeds]
    if not runs:
        raise ConfigError("cost: seeds is empty; at least one run is needed")
    return Cost(
        sum(run.calls for run in runs) / len(runs),
        sum(run.steps for run in runs) / len(runs),
        sum(run.documents for run in runs) / len(runs),
        max(run.largest_group for run in runs),
    )


def _check_round(schedule: Schedule, n: int, asked: Round) -> None:
    _check_order(schedule, n, asked.so_far)
    if not asked.groups:
        raise RankingError(f"{schedule!r} asked a round without groups for {n} documents")
    for group in asked.groups:
        if not group or len(set(group)) != len(group) or not all(0 <= i < n for i in group):
            raise RankingError(f"{schedule!r} asked for the group {group[:20]}, which is not a set of {n} positions")


def _check_order(schedule: Schedule, n: int, order: Order) -> None:
    if sorted(order) != list(range(n)):
        raise RankingError(f"{schedule!r} gave {order[:20]}, which is not a permutation of {n} positions")
