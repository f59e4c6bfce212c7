"""What holds for every schedule, whatever its method."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.core.params import from_toml, to_toml
from shortlist.core.plans import Outcome
from shortlist.core.protocols import Schedule
from shortlist.core.types import MISSING, Group, Order, Scores
from shortlist.drive.simulate import Judge, first_stage, noisy, perfect, silent, simulate
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
    ShuffledGroups,
    SlidingWindow,
    TopDownPartition,
)

SIZES = (0, 1, 2, 3, 5, 10, 19, 20, 21, 25, 39, 40, 41, 95, 101, 137)
SCHEDULES: tuple[Schedule, ...] = (
    Map(),
    Map(25),
    Once(),
    SlidingWindow(),
    SlidingWindow(20, 10, passes=2),
    SlidingWindow(4, 3, passes=3),
    SlidingWindow(5, 5),
    AllPairs(),
    AllPairs(both_orders=False),
    AllPairs(points="sum"),
    HeapTopK(2),
    HeapTopK(3),
    HeapTopK(19),
    HeapTopK(2, k=1),
    HeapTopK(2, both_orders=True),
    BubbleTopK(2),
    BubbleTopK(3, k=4),
    BubbleTopK(9),
    BubbleTopK(19),
    BubbleTopK(3, reuse=True),
    BubbleTopK(1, both_orders=True),
    BubbleTopK(1, both_orders=True, reuse=True),
    InsertionTopK(2),
    InsertionTopK(3, k=1),
    InsertionTopK(19),
    TopDownPartition(),
    TopDownPartition(5, 1),
    TopDownPartition(4, 4),
    PointsTournament(),
    PointsTournament(stages=((3, 7), (2, 1)), rounds=2),
    EliminationTournament(),
    EliminationTournament(survivors=2),
    EliminationTournament(2, 1, k=3),
    RepeatShuffled(),
    RepeatShuffled(7, 3),
    Cascade(EliminationTournament(k=12), AllPairs(), 12),
    Cascade(SlidingWindow(), Once(), 20),
    ShuffledGroups(HeapTopK(19), seed=1),
    ShuffledGroups(SlidingWindow(), seed=1),
    RepeatOrders(SlidingWindow(), times=3),
    RepeatOrders(HeapTopK(3), times=2),
)


STABLE = tuple(s for s in SCHEDULES if not isinstance(s, RepeatOrders))  # its ties are decided by its shuffled starts
TAKING_OUT = tuple(s for s in SCHEDULES if isinstance(s, HeapTopK | BubbleTopK | EliminationTournament))
NAMES = {"schedule": SCHEDULES, "stable": STABLE, "taking_out": TAKING_OUT}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name in NAMES.keys() & metafunc.fixturenames:
        metafunc.parametrize(name, NAMES[name], ids=lambda s: repr(s).replace(" ", ""))
    if "n" in metafunc.fixturenames:
        metafunc.parametrize("n", SIZES)


def best_first(relevance: list[float]) -> list[int]:
    return sorted(range(len(relevance)), key=lambda i: -relevance[i])


def run(schedule: Schedule, n: int, judge: Judge) -> tuple[list[Order], Outcome]:
    """Every order so far, and the outcome."""
    plan, seen = schedule.plan(n), []
    try:
        asked = next(plan)
        while True:
            seen.append(asked.so_far)
            asked = plan.send([judge(group) for group in asked.groups])
    except StopIteration as done:
        return seen, done.value


def test_plays_the_role(schedule: Schedule) -> None:
    assert isinstance(schedule, Schedule)


def test_perfect_judge_gets_the_exact_top(schedule: Schedule, n: int) -> None:
    for seed in range(4):
        relevance = first_stage(n, float("inf") if seed % 2 else 15.0, seed)
        done = simulate(schedule, n, perfect(relevance))
        exact = schedule.exact_top(n)
        assert 0 <= exact <= n
        assert list(done.order[:exact]) == best_first(relevance)[:exact]
        assert done.largest_group <= (n if schedule.group_size is None else schedule.group_size)


def test_silent_judge_leaves_the_first_stage_order(schedule: Schedule, n: int) -> None:
    seen, outcome = run(schedule, n, silent)
    assert outcome == Outcome(tuple(range(n)))
    assert set(seen) <= {tuple(range(n))}


def test_equal_scores_keep_the_first_stage_order(stable: Schedule, n: int) -> None:
    assert simulate(stable, n, lambda group: (0.5,) * len(group)).order == tuple(range(n))


def test_ties_in_the_exact_top_keep_the_first_stage_order(stable: Schedule, n: int) -> None:
    relevance = [float(int(r) // 4) for r in first_stage(n, 30.0, seed=n)]
    exact = stable.exact_top(n)
    assert list(simulate(stable, n, perfect(relevance)).order[:exact]) == best_first(relevance)[:exact]


def test_same_run_twice(schedule: Schedule) -> None:
    relevance = first_stage(41, 15.0)
    assert simulate(schedule, 41, noisy(relevance, 9.0, 5)) == simulate(schedule, 41, noisy(relevance, 9.0, 5))


def test_top_of_the_order_so_far_never_gets_worse(schedule: Schedule) -> None:
    for seed in range(5):
        relevance = first_stage(100, 30.0, seed)
        seen, outcome = run(schedule, 100, perfect(relevance))
        tops = [sum(relevance[i] for i in order[:10]) for order in (*seen, outcome.order)]
        if isinstance(schedule, RepeatOrders | PointsTournament):  # a vote under way may dip
            assert tops[-1] > tops[0]
        else:
            assert tops == sorted(tops)


def test_what_the_order_so_far_has_settled_stays(taking_out: HeapTopK | BubbleTopK | EliminationTournament) -> None:
    """With a perfect judge the last fallback and the outcome agree on what has been taken out by then."""
    seen, outcome = run(taking_out, 100, perfect(first_stage(100, 15.0)))
    settled = taking_out.k - 1
    assert seen[-1][:settled] == outcome.order[:settled]
    assert all(sorted(order[settled:]) == list(order[settled:]) for order in seen[-1:])  # the rest: first-stage order


def test_scores_belong_to_positions(schedule: Schedule) -> None:
    relevance = first_stage(41, 15.0)
    _, outcome = run(schedule, 41, perfect(relevance))
    if outcome.scores is not None:
        assert len(outcome.scores) == 41
        assert list(outcome.order) == sorted(range(41), key=lambda i: -outcome.scores[i])


def test_survives_the_round_trip_through_toml(schedule: Schedule) -> None:
    assert from_toml(to_toml(schedule)) == schedule


def test_no_group_is_pointless(schedule: Schedule, n: int) -> None:
    """Schedules that only compare never ask about one document."""
    if schedule.needs_across or schedule.group_size is None:
        return

    def judge(group: Group) -> Scores:
        assert len(group) > 1 or n == 1
        return tuple(float(i) for i in group)

    simulate(schedule, n, judge)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(0, 45), seed=st.integers(0, 2**32), words=st.integers(1, 6))
def test_random_verdicts(schedule: Schedule, n: int, seed: int, words: int) -> None:
    """Contradictory answers from a few values, MISSING among them: always ends, always a permutation."""
    random = Random(seed)
    vocabulary = [MISSING, 0.0, 1.0, -1.0, 1e300, -1e-300][:words]
    simulate(schedule, n, lambda group: tuple(random.choice(vocabulary) for _ in group))


@settings(max_examples=10, deadline=None)
@given(n=st.integers(0, 30), seed=st.integers(0, 2**32))
def test_budget_that_ends_inside_a_round(schedule: Schedule, n: int, seed: int) -> None:
    """From some call on everything is MISSING, as a driver sends it when a budget is spent."""
    random, relevance = Random(seed), first_stage(n, 10.0, seed)
    left = random.randrange(1, 40)

    def judge(group: Group) -> Scores:
        nonlocal left
        left -= 1
        return perfect(relevance)(group) if left >= 0 else silent(group)

    simulate(schedule, n, judge)


def test_long_list_does_not_exhaust_the_stack() -> None:
    n = 1500
    worst_first = [float(i) for i in range(n)]
    for schedule in (TopDownPartition(4, 4), EliminationTournament(), Map(), RepeatShuffled(), SlidingWindow()):
        simulate(schedule, n, perfect(worst_first))
