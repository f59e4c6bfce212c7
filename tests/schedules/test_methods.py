"""What is particular to one schedule: its points, its ties, its groups, its refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest

from shortlist.core.errors import ConfigError
from shortlist.core.plans import Outcome, Round
from shortlist.core.protocols import Schedule
from shortlist.core.types import MISSING, Group, Scale, Scores
from shortlist.drive.simulate import Judge, first_stage, noisy, perfect, simulate
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


def drive(schedule: Schedule, n: int, judge: Judge) -> tuple[list[Round], Outcome]:
    plan, asked = schedule.plan(n), []
    try:
        asked.append(next(plan))
        while True:
            asked.append(plan.send([judge(group) for group in asked[-1].groups]))
    except StopIteration as done:
        return asked, done.value


WRONG: list[Callable[[], object]] = [
    lambda: Map(0),
    lambda: Map(2.0),  # type: ignore[arg-type]
    lambda: SlidingWindow(1),
    lambda: SlidingWindow(20, 21),
    lambda: SlidingWindow(stride=0),
    lambda: SlidingWindow(passes=0),
    lambda: SlidingWindow("20"),  # type: ignore[arg-type]
    lambda: AllPairs(points="means"),  # type: ignore[arg-type]
    lambda: HeapTopK(1),
    lambda: HeapTopK(k=0),
    lambda: BubbleTopK(0),
    lambda: BubbleTopK(k=True),
    lambda: InsertionTopK(1),
    lambda: TopDownPartition(20, 21),
    lambda: TopDownPartition(cut=0),
    lambda: PointsTournament(stages=()),
    lambda: PointsTournament(stages=((1, 5),)),
    lambda: PointsTournament(stages=((5, 0),)),
    lambda: PointsTournament(stages=((5, 3), (5, 3))),
    lambda: PointsTournament(stages=((5, 3, 1),)),  # type: ignore[arg-type]
    lambda: PointsTournament(rounds=0),
    lambda: EliminationTournament(5, 3),
    lambda: EliminationTournament(k=0),
    lambda: RepeatShuffled(times=0),
    lambda: RepeatOrders(Map(), times=0),
    lambda: Cascade(Map(), Once(), 0),
]


@pytest.mark.parametrize("build", WRONG)
def test_refuses_parameters_when_built(build: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match=r"\w+: .*(must be|is larger|is beyond|survivors|stages)"):
        build()


def test_map_reports_the_scorers_scores() -> None:
    _, outcome = drive(Map(), 3, perfect([0.2, 0.9, 0.4]))
    assert outcome == Outcome((1, 2, 0), (0.2, 0.9, 0.4), None)


def test_document_without_a_score_sorts_last() -> None:
    for schedule in (Map(), Once(), RepeatShuffled(size=2), AllPairs(points="sum"), SlidingWindow()):
        assert simulate(schedule, 4, perfect([-5.0, MISSING, -9.0, -7.0])).order == (0, 3, 2, 1), schedule


def test_window_carries_size_minus_stride() -> None:
    """With a larger stride fewer ranks are exact, and the schedule says how many."""
    for size, stride, passes, n in [
        (20, 10, 1, 100),
        (20, 15, 1, 100),
        (20, 10, 2, 100),
        (20, 10, 3, 96),
        (6, 4, 4, 50),
    ]:
        schedule = SlidingWindow(size, stride, passes)
        exact = schedule.exact_top(n)
        found = []
        for seed in range(100):
            relevance = first_stage(n, math.inf, seed)
            order = simulate(schedule, n, perfect(relevance)).order
            found.append(next((r for r, i in enumerate(order) if relevance[i] != n - r), n))
        assert min(found) >= exact
    assert SlidingWindow(20, 15).exact_top(100) == 5
    assert SlidingWindow(20, 10, 2).exact_top(100) == 20
    assert SlidingWindow(20, 10).exact_top(20) == 20
    assert SlidingWindow(20, 20).exact_top(21) == 0


def test_pairs_win_points() -> None:
    """Two agreeing answers are a win, anything else half a point each."""
    answers = {(0, 1): (0.0, 1.0), (1, 0): (1.0, 0.0),  # 1 beats 0 in both orders
               (0, 2): (1.0, 0.0), (2, 0): (1.0, 0.0),  # the first shown wins: a tie
               (1, 2): (MISSING, MISSING), (2, 1): (1.0, 0.0)}  # fmt: skip
    _, outcome = drive(AllPairs(), 3, answers.__getitem__)
    assert outcome == Outcome((1, 2, 0), (0.5, 1.5, 1.0), Scale.POINTS)


def test_pairs_asked_once() -> None:
    answers = {(0, 1): (0.0, 1.0), (0, 2): (0.5, 0.5), (1, 2): (0.2, 0.8)}
    _, outcome = drive(AllPairs(both_orders=False), 3, answers.__getitem__)
    assert outcome == Outcome((2, 1, 0), (0.5, 1.0, 1.5), Scale.POINTS)


def test_pairs_sum_of_probabilities() -> None:
    """duoT5: p to the first document of a pair and 1 - p to the second, over all ordered pairs."""
    p = {(0, 1): 0.9, (1, 0): 0.3, (0, 2): 0.2, (2, 0): 0.6, (1, 2): 0.7, (2, 1): 0.1}
    _, outcome = drive(AllPairs(points="sum"), 3, lambda pair: (p[pair], 1 - p[pair]))
    assert outcome.scores == pytest.approx((0.9 + 0.7 + 0.2 + 0.4, 0.1 + 0.3 + 0.7 + 0.9, 0.8 + 0.6 + 0.3 + 0.1))
    assert outcome.order == (0, 1, 2)


def test_pairs_sum_is_not_hurt_by_missing_answers() -> None:
    """A document of which half the answers are lost keeps its place."""
    relevance = [1.0, 3.0, 2.0]
    _, outcome = drive(AllPairs(points="sum"), 3, lambda g: (MISSING,) * 2 if g[0] == 1 else perfect(relevance)(g))
    assert outcome.scores == pytest.approx((4.0, 12.0, 8.0))


def reference_heap(n: int, c: int, k: int, best: Callable[[tuple[int, ...]], int]) -> tuple[list[int], int]:
    """Textbook heap sort, one comparison after the other: (top k, calls)."""
    heap, calls = list(range(n)), 0

    def sift(i: int, end: int) -> None:
        nonlocal calls
        while c * i + 1 < end:
            members = [i, *range(c * i + 1, min(c * i + c + 1, end))]
            calls += 1
            j = next(m for m in members if heap[m] == best(tuple(heap[m] for m in members)))
            if j == i:
                return
            heap[i], heap[j] = heap[j], heap[i]
            i = j

    for i in range((n - 2) // c, -1, -1):
        sift(i, n)
    top: list[int] = []
    for end in range(n - 1, -1, -1):
        top.append(heap[0])
        if len(top) == k:
            break
        heap[0] = heap[end]
        sift(0, end)
    return top, calls


@pytest.mark.parametrize("children", [2, 3, 7, 19])
def test_heap_built_by_levels_equals_the_textbook(children: int) -> None:
    """Even for a judge that contradicts itself between groups, as long as it answers a group always alike."""
    for seed in range(20):

        def judge(group: Group, seed: int = seed) -> Scores:
            random = Random(hash((seed, group)))
            return tuple(random.random() - 0.02 * i for i in group)

        top, calls = reference_heap(100, children, 10, lambda g: max(zip(judge(g), g, strict=True))[1])
        done = simulate(HeapTopK(children), 100, judge)
        assert list(done.order[:10]) == top
        assert done.calls == calls


@pytest.mark.parametrize("children", [1, 2, 9])
def test_reuse_changes_no_result(children: int) -> None:
    """The judge contradicts itself between groups, but answers a group always alike."""
    for seed in range(20):

        def judge(group: Group, seed: int = seed) -> Scores:
            random = Random(hash((seed, group)))
            return tuple(random.random() - 0.02 * i for i in group)

        plain, lazy = (simulate(BubbleTopK(children, reuse=reuse), 60, judge) for reuse in (False, True))
        assert lazy.order == plain.order
        assert lazy.calls < plain.calls


def test_bubble_shows_windows_in_their_present_order() -> None:
    """Worst first: 4 rises to the head in two windows and leaves 0 and 2 where it came by."""
    asked, _ = drive(BubbleTopK(2, k=2), 5, perfect([0.0, 1.0, 2.0, 3.0, 4.0]))
    assert [r.groups for r in asked] == [((2, 3, 4),), ((0, 1, 4),), ((0, 3, 2),), ((1, 3),)]
    assert [r.so_far for r in asked] == [(0, 1, 2, 3, 4)] * 2 + [(4, 0, 1, 2, 3)] * 2


def test_prp_heap_counts_only_agreement() -> None:
    """A judge that always prefers the document shown first never agrees with itself: nothing moves."""

    def first_shown(group: Group) -> Scores:
        return (1.0, 0.0)

    for schedule in (HeapTopK(2, both_orders=True), BubbleTopK(1, both_orders=True)):
        assert simulate(schedule, 30, first_shown).order == tuple(range(30))
    assert simulate(BubbleTopK(1), 30, first_shown).order == tuple(range(30))


@pytest.mark.parametrize("schedule", [HeapTopK(3), BubbleTopK(3), InsertionTopK(3)], ids=repr)
def test_only_the_winner_of_a_setwise_group_counts(schedule: HeapTopK) -> None:
    relevance = first_stage(60, 15.0)

    def winner_only(group: Group) -> Scores:
        best = max(group, key=lambda i: relevance[i])
        return tuple(1.0 if i == best else MISSING for i in group)

    assert simulate(schedule, 60, winner_only) == simulate(schedule, 60, perfect(relevance))


@pytest.mark.parametrize("schedule", [HeapTopK(19), BubbleTopK(19), InsertionTopK(3)], ids=repr)
def test_unreadable_answers_do_not_lift_documents_from_the_bottom(schedule: HeapTopK) -> None:
    """Every third answer is lost: whatever enters the top 10 was voted in or stood high in the first stage."""
    relevance = [float(-i) for i in range(100)]
    calls = 0

    def judge(group: Group) -> Scores:
        nonlocal calls
        calls += 1
        return (MISSING,) * len(group) if calls % 3 == 0 else perfect(relevance)(group)

    assert simulate(schedule, 100, judge).order == tuple(range(100))


def test_insertion_discards_whole_groups() -> None:
    """A list that is sorted already costs the heap of the first k and one call per group of the rest."""
    sorted_list = perfect([float(-i) for i in range(100)])
    heap = simulate(HeapTopK(3), 10, sorted_list).calls
    assert simulate(InsertionTopK(3), 100, sorted_list).calls == heap + 30


def test_partition_shows_the_pivot_first_and_the_blocks_at_once() -> None:
    asked, _ = drive(TopDownPartition(), 100, perfect([float(-i) for i in range(100)]))
    assert [len(r.groups) for r in asked] == [1, 5]
    assert {group[0] for group in asked[1].groups} == {9}
    assert [i for group in asked[1].groups for i in group[1:]] == list(range(20, 100))


def test_tourrank_scheme_for_100() -> None:
    asked, outcome = drive(PointsTournament(rounds=1), 100, perfect(first_stage(100, math.inf)))
    assert [[len(g) for g in r.groups] for r in asked] == [[20] * 5, [10] * 5, [20], [10], [5]]
    assert [sorted(g) for g in asked[0].groups] == [list(range(j, 100, 5)) for j in range(5)]
    assert outcome.scale is Scale.POINTS
    assert sorted(outcome.scores or ()) == [0] * 50 + [1] * 30 + [2] * 10 + [3] * 5 + [4] * 3 + [5] * 2


def test_tourrank_scheme_for_other_lengths() -> None:
    """The survivors stay the same, the groups are as few and as equal as the largest size allows."""

    def sizes(n: int) -> list[list[int]]:
        asked, _ = drive(PointsTournament(rounds=1), n, perfect(first_stage(n, 15.0)))
        return [[len(g) for g in r.groups] for r in asked]

    assert sizes(101) == [[17] * 5 + [16], [10] * 5, [20], [10], [5]]
    assert sizes(200) == [[20] * 10, [10] * 5, [20], [10], [5]]
    assert sizes(40) == [[10] * 4, [20], [10], [5]]
    assert sizes(21) == [[7], [20], [10], [5]]  # 7 + 7 + 6 of three groups of 7 go on: only one group has a loser
    assert sizes(20) == [[20], [10], [5]]
    assert sizes(5) == [[5]]
    assert sizes(2) == [[2]]
    assert sizes(1) == sizes(0) == []


def test_tourrank_shuffles_by_seed_inside_groups() -> None:
    groups = [drive(PointsTournament(rounds=2, seed=s), 40, perfect([0.0] * 40))[0][0].groups for s in (0, 0, 1)]
    assert groups[0] == groups[1] != groups[2]
    first, second = groups[0][0], groups[0][4]  # the same four groups of ten in both tournaments
    assert first != second
    assert sorted(first) == sorted(second) == list(range(0, 40, 4))


def test_tourrank_two_survivors_are_the_best_two() -> None:
    for seed in range(50):
        relevance = first_stage(100, 15.0, seed)
        order = simulate(PointsTournament(rounds=1), 100, perfect(relevance)).order
        assert {relevance[i] for i in order[:2]} == {100.0, 99.0}


def test_tournament_remembers_matches() -> None:
    """Between two winners only the matches on the way of the last winner are played: log of n, not n."""
    asked, _ = drive(EliminationTournament(), 125, perfect(first_stage(125, math.inf)))
    assert [len(r.groups) for r in asked[:3]] == [25, 5, 1]
    assert all(len(r.groups) == 1 for r in asked[3:])
    played = [frozenset(g) for r in asked for g in r.groups]
    assert len(set(played)) == len(played)


def test_repeat_averages_what_was_said() -> None:
    said: dict[int, list[float]] = {i: [] for i in range(23)}
    random = Random(4)

    def judge(group: Group) -> Scores:
        scores = tuple(random.choice([MISSING, 1.0, 2.0, 7.0]) for _ in group)
        for i, score in zip(group, scores, strict=True):
            said[i] += [score] if score != MISSING else []
        return scores

    asked, outcome = drive(RepeatShuffled(size=10, times=3), 23, judge)
    assert [len(g) for g in asked[0].groups] == [8, 8, 7] * 3
    assert outcome.scores == pytest.approx([sum(s) / len(s) if s else MISSING for s in said.values()])


def test_averaging_shuffled_repeats_beats_one_pass() -> None:
    """With a noisy judge, four looks at every document are better than one, and that is what they are for."""

    def found(schedule: Schedule) -> float:
        total = 0.0
        for seed in range(30):
            relevance = first_stage(100, 15.0, seed)
            order = simulate(schedule, 100, noisy(relevance, 25.0, seed)).order
            total += sum(relevance[i] > 90 for i in order[:10]) / 300
        return total

    assert found(RepeatShuffled(times=4)) > found(Map()) + 0.1
    assert found(PointsTournament(rounds=10)) > found(SlidingWindow()) + 0.1
    assert found(RepeatOrders(SlidingWindow(), times=10)) > found(SlidingWindow()) + 0.1


def test_shuffled_groups_give_scores_back_in_place() -> None:
    asked, outcome = drive(ShuffledGroups(Once(), seed=3), 12, perfect([float(i % 5) for i in range(12)]))
    assert asked[0].groups[0] != tuple(range(12))
    assert outcome.scores == tuple(float(i % 5) for i in range(12))


def test_shuffling_changes_what_is_shown_and_nothing_else() -> None:
    relevance = first_stage(100, 15.0)
    for inner in (HeapTopK(19), SlidingWindow(), EliminationTournament()):
        plain, shuffled = (drive(s, 100, perfect(relevance)) for s in (inner, ShuffledGroups(inner)))
        assert shuffled[1] == plain[1]
        assert [[set(g) for g in r.groups] for r in shuffled[0]] == [[set(g) for g in r.groups] for r in plain[0]]
        assert [r.groups for r in shuffled[0]] != [r.groups for r in plain[0]]


def test_orders_wash_out_position_bias() -> None:
    """A judge that adds points to what is shown early keeps bad documents on top; averaged over starts it cannot."""
    relevance = [float(i) for i in range(20)]

    def biased(group: Group) -> Scores:
        return tuple(relevance[i] - 3.0 * place for place, i in enumerate(group))

    assert simulate(Once(), 20, biased).order == tuple(range(20))
    order = simulate(RepeatOrders(Once(), times=100), 20, biased).order
    assert sum(order[:5]) >= 75  # of 85; the biased judge alone gets 10
    assert drive(RepeatOrders(Once(), times=2), 5, perfect(relevance))[1] == Outcome(
        (4, 3, 2, 1, 0), (1.0, 2.0, 3.0, 4.0, 5.0), Scale.POINTS
    )


def test_orders_leave_a_silent_run_out() -> None:
    """Of two runs the second never answers: the result is the first run's."""
    relevance = [float(i) for i in range(8)]
    calls = 0

    def judge(group: Group) -> Scores:
        nonlocal calls
        calls += 1
        return perfect(relevance)(group) if calls == 1 else (MISSING,) * len(group)

    assert simulate(RepeatOrders(Once(), times=2), 8, judge).order == tuple(range(7, -1, -1))


def test_cascade_keeps_the_rest_in_the_order_of_the_first() -> None:
    relevance = first_stage(30, math.inf)
    asked, outcome = drive(Cascade(Map(), Once(), 5), 30, perfect(relevance))
    first = sorted(range(30), key=lambda i: -relevance[i])
    assert asked[1].groups == (tuple(first[:5]),)
    assert asked[1].so_far == tuple(first) == outcome.order
    assert outcome.scores is None


def test_cascade_falls_back_on_what_the_second_has_done() -> None:
    """The second judge reverses the first: after its first window two documents have moved, the rest below has not."""
    judge = perfect([float(-i) for i in range(10)])
    asked, outcome = drive(
        Cascade(Map(), SlidingWindow(4, 2), 6), 10, lambda g: judge(g) if len(g) == 1 else judge(g)[::-1]
    )
    assert [r.so_far for r in asked[1:]] == [(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (0, 1, 5, 4, 3, 2, 6, 7, 8, 9)]
    assert outcome.order == (4, 5, 0, 1, 3, 2, 6, 7, 8, 9)


def test_cascade_says_what_its_parts_need() -> None:
    assert Cascade(SlidingWindow(), AllPairs(), 10).needs_across is False
    assert Cascade(SlidingWindow(), Map(), 10).needs_across is True
    assert Cascade(SlidingWindow(), Once(), 30).group_size == 30
    assert Cascade(Once(), SlidingWindow(), 30).group_size is None
    assert Cascade(SlidingWindow(), AllPairs(), 30).exact_top(100) == 10
    assert Cascade(HeapTopK(k=30), HeapTopK(k=10), 20).exact_top(100) == 10
    assert Cascade(HeapTopK(k=30), Once(), 20).exact_top(100) == 30
    assert Cascade(PointsTournament(), Once(), 20).exact_top(100) == 0
