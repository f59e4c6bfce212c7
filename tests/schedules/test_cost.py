"""What each schedule costs for 100 candidates, top 10 wanted.

Noise model: the first stage sorts by true rank + Gaussian noise of sigma 15, or is shuffled; means over 20 seeds with a
perfect judge. Counts that depend on the first stage may differ by 3 % from those counted with the authors' loops, whose
random lists were others. ListT5 with two survivors was counted at 94 to 100: its code fills empty places with dummies.
"""

from __future__ import annotations

import math

import pytest

from shortlist.core.protocols import Schedule
from shortlist.drive.simulate import Cost, cost
from shortlist.schedules import (
    AllPairs,
    BubbleTopK,
    Cascade,
    EliminationTournament,
    HeapTopK,
    InsertionTopK,
    Map,
    Once,
    PointsTournament,
    RepeatOrders,
    RepeatShuffled,
    SlidingWindow,
    TopDownPartition,
)

EXACT = [
    (Map(), Cost(100, 1, 100, 1)),
    (Map(25), Cost(4, 1, 100, 25)),
    (Once(), Cost(1, 1, 100, 100)),
    (SlidingWindow(), Cost(9, 9, 180, 20)),
    (AllPairs(), Cost(9900, 1, 19800, 2)),
    (AllPairs(both_orders=False), Cost(4950, 1, 9900, 2)),
    (BubbleTopK(2), Cost(475, 475, 1420, 3)),
    (BubbleTopK(3), Cost(318, 318, 1263, 4)),
    (BubbleTopK(9), Cost(109, 109, 1054, 10)),
    (BubbleTopK(19), Cost(54, 54, 999, 20)),
    (BubbleTopK(1, both_orders=True), Cost(2 * 945, 945, 4 * 945, 2)),
    (PointsTournament(rounds=1), Cost(13, 5, 185, 20)),
    (PointsTournament(rounds=2), Cost(26, 5, 370, 20)),
    (PointsTournament(), Cost(130, 5, 1850, 20)),
    (RepeatShuffled(times=1), Cost(5, 1, 100, 20)),
    (RepeatShuffled(times=4), Cost(20, 1, 400, 20)),
    (RepeatOrders(SlidingWindow(), times=5), Cost(45, 9, 900, 20)),
]
NOISY = [  # schedule, calls at sigma 15 and shuffled, tolerance
    (HeapTopK(2), 117, 140, 0.03),
    (HeapTopK(3), 76, 82, 0.03),
    (HeapTopK(19), 20, 23, 0.03),
    (HeapTopK(2, both_orders=True), 2 * 233, 2 * 278, 0.03),
    (TopDownPartition(), 6.9, 10.5, 0.03),
    (EliminationTournament(survivors=1), 52.5, 52.5, 0.03),
    (EliminationTournament(survivors=2), 94, 94, 0.03),
]


@pytest.mark.parametrize(("schedule", "expected"), EXACT, ids=repr)
@pytest.mark.parametrize("sigma", [0.0, 15.0, math.inf])
def test_counts_that_do_not_depend_on_the_first_stage(schedule: Schedule, expected: Cost, sigma: float) -> None:
    assert cost(schedule, sigma=sigma, seeds=range(2)) == expected


@pytest.mark.parametrize(("schedule", "near", "shuffled", "tolerance"), NOISY, ids=repr)
def test_counts_that_do(schedule: Schedule, near: float, shuffled: float, tolerance: float) -> None:
    assert cost(schedule).calls == pytest.approx(near, rel=tolerance)
    assert cost(schedule, sigma=math.inf).calls == pytest.approx(shuffled, rel=tolerance)


def test_steps() -> None:
    """Levels of a heap, the middle of a partition and the levels of a tournament are asked side by side."""
    assert cost(HeapTopK(2)).steps < 0.6 * cost(HeapTopK(2)).calls
    assert 2 <= cost(TopDownPartition()).steps <= 4
    assert cost(TopDownPartition(), sigma=0.0).steps == 2
    assert cost(EliminationTournament(survivors=1)).steps == pytest.approx(30, abs=1)
    assert cost(EliminationTournament(survivors=2)).steps == pytest.approx(60, abs=2)


def test_insertion_saves_what_its_paper_says_near_the_true_order() -> None:
    """23 % fewer calls than the heap, in the paper with real models; the price is paid on shuffled lists."""
    heap, insertion = HeapTopK(2), InsertionTopK(2)
    assert cost(insertion).calls == pytest.approx(0.77 * cost(heap).calls, rel=0.05)
    assert cost(insertion, sigma=math.inf).calls > cost(heap, sigma=math.inf).calls


@pytest.mark.parametrize(("children", "pairs"), [(1, True), (2, False), (3, False), (9, False), (19, False)])
def test_reuse_saves_a_third_near_the_true_order(children: int, pairs: bool) -> None:
    plain, lazy = (BubbleTopK(children, both_orders=pairs, reuse=reuse) for reuse in (False, True))
    assert cost(lazy).calls < 0.7 * cost(plain).calls
    assert cost(lazy, sigma=math.inf).calls < 0.96 * cost(plain, sigma=math.inf).calls


def test_cascade_adds_its_parts() -> None:
    first = EliminationTournament(k=20)
    both = cost(Cascade(first, AllPairs(), 20))
    assert both.calls == cost(first).calls + 20 * 19
    assert both.steps == cost(first).steps + 1
