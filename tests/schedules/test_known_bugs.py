"""Errors of published implementations, found by running them with a perfect judge, that must not come back."""

from __future__ import annotations

import math
from random import Random

import pytest

from shortlist.core.types import Group, Scores
from shortlist.drive.simulate import first_stage, perfect, simulate
from shortlist.schedules import (
    BubbleTopK,
    EliminationTournament,
    HeapTopK,
    InsertionTopK,
    PointsTournament,
    RepeatShuffled,
    SlidingWindow,
    TopDownPartition,
)


@pytest.mark.parametrize("n", [5, 15, 19, 21, 25, 41, 95, 99, 101])
def test_window_reaches_the_head(n: int) -> None:
    """RankGPT's loop leaves the first 5 of 25 or 95 documents unseen and ranks nothing of 15."""
    seen: set[int] = set()

    def judge(group: Group) -> Scores:
        seen.update(group)
        return tuple(float(i) for i in group)

    assert simulate(SlidingWindow(), n, judge).order[0] == n - 1
    assert seen == set(range(n))


def test_window_places() -> None:
    assert SlidingWindow().starts(100) == (80, 70, 60, 50, 40, 30, 20, 10, 0)
    assert SlidingWindow().starts(95) == (75, 65, 55, 45, 35, 25, 15, 5, 0)
    assert SlidingWindow().starts(20) == SlidingWindow().starts(5) == (0,)
    assert SlidingWindow().starts(1) == SlidingWindow().starts(0) == ()


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("children", [2, 3, 9, 19])
def test_bubble_is_exact_200_times(children: int, reuse: bool) -> None:
    """The authors' optimised loop is wrong in 45, 62, 93 and 146 of 200."""
    for seed in range(200):
        relevance = first_stage(100, (15.0, math.inf)[seed % 2], seed)
        order = simulate(BubbleTopK(children, reuse=reuse), 100, perfect(relevance)).order
        assert [relevance[i] for i in order[:10]] == [100.0 - rank for rank in range(10)], seed


SORTS = [
    *(HeapTopK(children) for children in (2, 3, 19)),
    *(InsertionTopK(children) for children in (2, 3, 19)),
    *(EliminationTournament(survivors=survivors) for survivors in (1, 2)),
]


@pytest.mark.parametrize("schedule", SORTS, ids=repr)
def test_sorts_are_exact_200_times(schedule: HeapTopK | InsertionTopK | EliminationTournament) -> None:
    for seed in range(200):
        relevance = first_stage(100, (15.0, math.inf)[seed % 2], seed)
        order = simulate(schedule, 100, perfect(relevance)).order
        assert [relevance[i] for i in order[:10]] == [100.0 - rank for rank in range(10)], seed


@pytest.mark.parametrize("sigma", [40.0, math.inf])
def test_partition_is_exact_100_times(sigma: float) -> None:
    """The authors' loop is right in 0 of 100 shuffled lists and 49 of 100 at sigma 40."""
    for seed in range(100):
        relevance = first_stage(100, sigma, seed)
        order = simulate(TopDownPartition(), 100, perfect(relevance)).order
        assert [relevance[i] for i in order[:10]] == [100.0 - rank for rank in range(10)], seed


def test_partition_puts_the_leftovers_of_the_better_pass_first() -> None:
    """A list sorted worst first needs a second pass; what falls out of it is better than what fell out of the first."""
    relevance = [float(i) for i in range(40)]
    plan = TopDownPartition().plan(40)
    fallbacks = []
    try:
        asked = next(plan)
        while True:
            fallbacks.append(asked.so_far)
            asked = plan.send([perfect(relevance)(group) for group in asked.groups])
    except StopIteration as done:
        order = done.value.order
    first_pivot = 10  # tenth best of the documents 0 ... 19
    assert order.index(first_pivot) == 29
    assert set(order[30:]) == set(range(10))
    assert order[:10] == tuple(range(39, 29, -1))


def test_partition_stops_early_when_nothing_comes_up() -> None:
    """The authors' early exit never fires: one call too many for a list that is sorted already."""
    assert simulate(TopDownPartition(), 100, perfect([float(-i) for i in range(100)])).calls == 6


@pytest.mark.parametrize("n", [2, 3, 7, 60, 99, 100, 101, 250])
def test_tourrank_is_not_only_for_100(n: int) -> None:
    """The authors' code works for exactly 100 documents and can count a document twice."""
    schedule = PointsTournament(rounds=3)
    relevance = first_stage(n, math.inf, 1)
    done = simulate(schedule, n, perfect(relevance))
    assert done.largest_group <= 20
    assert {relevance[i] for i in done.order[:2]} == {n, n - 1}


def test_group_scores_of_a_failed_call_are_not_zeros() -> None:
    """The authors' code gives all documents of an unreadable answer 0, which ends their chances."""
    best = 7
    random = Random(0)

    def judge(group: Group) -> Scores:
        if random.random() < 0.3:
            return (float("-inf"),) * len(group)
        return tuple(10.0 if i == best else 1.0 for i in group)

    assert simulate(RepeatShuffled(times=6), 100, judge).order[0] == best
