"""Our schedules beside the authors' loops: the same judge, the groups it was asked and the order that came out.

The judge errs, but always the same way for the same group, so that one different group anywhere shows in the order.
What was recorded, of which commit and how, is in README.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from math import exp
from typing import Any

import pytest

from shortlist import load
from shortlist.backends.fake import Oracle
from shortlist.core.protocols import Schedule
from shortlist.drive import Scheduled
from shortlist.drive.simulate import perfect, simulate
from shortlist.schedules import AllPairs, BubbleTopK, HeapTopK, PointsTournament, SlidingWindow, TopDownPartition

Recorded = Callable[[str], Any]
Judge = Callable[[Sequence[int]], tuple[float, ...]]
JudgeOf = Callable[..., Judge]
SIGMA = 30.0


def run(schedule: Schedule, n: int, judge: Judge) -> tuple[list[int], list[list[int]]]:
    """The order, and the groups in the order they were asked."""
    asked: list[list[int]] = []

    def noted(group: Sequence[int]) -> tuple[float, ...]:
        asked.append(list(group))
        return judge(group)

    return list(simulate(schedule, n, noted).order), asked


def digest(groups: object) -> str:
    return sha256(json.dumps(groups, separators=(",", ":")).encode()).hexdigest()[:16]


def test_windows_are_rankgpts_where_its_loop_reaches_the_head(recorded: Recorded, judge_of: JudgeOf) -> None:
    equal = []
    for row in recorded("orders")["RankGPT sliding_windows"]:
        n = row["n"]
        order, asked = run(SlidingWindow(), n, judge_of(n, n, SIGMA, ordered=True))
        if (order, digest(asked)) == (row["order"], row["groups"]):
            equal.append(n)
    assert equal == [20, 30, 40, 100, 120]


@pytest.mark.parametrize("n", [5, 15, 25, 95])
def test_rankgpts_loop_leaves_the_head_out(recorded: Recorded, judge_of: JudgeOf, n: int) -> None:
    """``while start_pos >= rank_start``: nothing is asked of 5 or 15, and the first 5 of 25 or 95 stay where they
    are. We ask the same windows and one more, at the head."""
    row = next(r for r in recorded("orders")["RankGPT sliding_windows"] if r["n"] == n)
    order, asked = run(SlidingWindow(), n, judge_of(n, n, SIGMA, ordered=True))
    assert row["order"][:5] == [0, 1, 2, 3, 4] != order[:5]
    assert digest(asked[:-1]) == row["groups"]
    assert len(asked) == len(row["asked"]) + 1


def test_windows_are_rank_llms_for_whole_strides(recorded: Recorded, judge_of: JudgeOf) -> None:
    """rank_llm mended the loop (its pull request 51), for the synchronous and the asynchronous driver alike. Its last
    window is shorter where strides do not come out even: of 25, [5, 25) and [0, 15); ours is whole, [0, 20)."""
    equal, lengths = [], {}
    for row in recorded("orders")["rank_llm sliding_windows"]:
        n = row["n"]
        order, asked = run(SlidingWindow(), n, judge_of(n, n, SIGMA, ordered=True))
        assert row["async_same"] and len(asked) == len(row["asked"])
        assert digest(asked[:-1]) == row["but_last"]
        if (order, digest(asked)) == (row["order"], row["groups"]):
            equal.append(n)
        else:
            lengths[n] = (row["asked"][-1], len(asked[-1]))
    assert equal == [5, 15, 20, 30, 40, 100, 120]
    assert lengths == {21: (11, 20), 25: (15, 20), 29: (19, 20), 41: (11, 20), 95: (15, 20)}


def test_listwise_likelihood_slides_as_the_authors_readme_says(recorded: Recorded, judge_of: JudgeOf) -> None:
    """Window 4, step 2, 5 repeats: 245 calls for 100 documents, the number in the paper's table."""
    built = load("listwise-likelihood", backend=Oracle())
    assert isinstance(built, Scheduled) and built.schedule == SlidingWindow(4, 2, 5)
    for row in recorded("orders")["llm-rankers listwise"]:
        order, asked = run(built.schedule, row["n"], judge_of(row["n"], 5, SIGMA, ordered=True))
        assert (order, digest(asked), len(asked)) == (row["order"], row["groups"], row["calls"])
    assert row["calls"] == 245


def test_setwise_heap_is_the_authors(recorded: Recorded, judge_of: JudgeOf) -> None:
    """Same groups in the same presentation, same order, same number of calls. Parents of one level are asked
    together here, from left to right, and one by one from right to left there: the set of groups is compared."""
    rows = recorded("orders")["llm-rankers setwise heapsort"]
    assert {row["children"] for row in rows} == {2, 3, 9, 19}
    for row in rows:
        judge = judge_of(row["n"], row["children"], SIGMA, ordered=True)
        order, asked = run(HeapTopK(row["children"], row["k"]), row["n"], judge)
        assert order == row["order"], row
        assert digest(sorted(asked)) == row["groups"] and len(asked) == row["calls"]
        assert asked[-3:] == row["last"]  # taking out is sequential on both sides


def test_setwise_bubble_is_the_authors_plain_one(recorded: Recorded, judge_of: JudgeOf) -> None:
    """The plain loop stands in the authors' file as a comment; it was run from there."""
    for row in recorded("orders")["llm-rankers setwise plain bubblesort"]:
        judge = judge_of(row["n"], row["children"], SIGMA, ordered=True)
        order, asked = run(BubbleTopK(row["children"], row["k"]), row["n"], judge)
        assert (order, digest(asked), len(asked)) == (row["order"], row["groups"], row["calls"])


def test_the_authors_optimised_bubble_is_wrong_with_a_perfect_judge(recorded: Recorded) -> None:
    """So it is no reference: 50 lists, no error in the judge, and these many right top tens. Ours has 50 of 50
    (``tests/schedules``), also with ``reuse``, which is what saves the repeated windows."""
    rows = recorded("orders")["llm-rankers setwise optimised bubblesort"]
    assert {row["children"]: row["right"] for row in rows} == {2: 50, 3: 44, 9: 9, 19: 9}


PRP = {
    "heapsort": HeapTopK(2, 10, both_orders=True),
    "plain bubblesort": BubbleTopK(1, 10, both_orders=True),
}


@pytest.mark.parametrize("contradictory", [False, True])
@pytest.mark.parametrize("sort", PRP)
def test_prp_sorts_are_the_authors(recorded: Recorded, judge_of: JudgeOf, sort: str, contradictory: bool) -> None:
    """The same compares (for the heap as a set: its levels are built in parallel here) and the same order.

    One rule differs, on purpose: when the two answers about a pair contradict each other, the authors keep the
    champion, we take the document that the first stage ranked higher. So the judge is made to favour the champion in
    such pairs; the test below is without.
    """
    for row in recorded("orders")[f"llm-rankers pairwise {sort}"]:
        if row["contradictory"] == contradictory:
            judge = judge_of(row["n"], 7, 12.0, ordered=contradictory)
            order, asked = run(PRP[sort], row["n"], champion_first(judge))
            pairs = asked[1::2]  # the challenger first, as the authors write a pair
            assert order == row["order"]
            assert (len(pairs), digest(sorted(pairs))) == (row["compares"], row["sorted_pairs"])
            if sort == "plain bubblesort":
                assert digest(pairs) == row["pairs"]


def champion_first(judge: Judge) -> Judge:
    """``judge`` with every contradiction decided for the champion; it stands first in every other group."""
    calls = 0

    def decided(group: Sequence[int]) -> tuple[float, ...]:
        nonlocal calls
        champion = group[calls % 2]
        calls += 1
        a, b = group
        first, second = judge((a, b)), judge((b, a))
        if (first[0] > first[1]) == (second[0] > second[1]):
            return tuple(float(i == champion) for i in group)
        return first

    return decided


def test_prp_contradictions_go_to_the_first_stage(recorded: Recorded, judge_of: JudgeOf) -> None:
    """A heap's champion may be its last leaf: of a judge that contradicts itself always, the authors' heap makes the
    last document the second best, ours gives back the first stage's order."""

    def contrary(group: Sequence[int]) -> tuple[float, ...]:
        return (1.0, 0.0)

    assert run(PRP["heapsort"], 30, contrary)[0] == list(range(30))
    assert run(PRP["heapsort"], 30, champion_first(contrary))[0][:3] == [0, 29, 28]
    (row,) = [r for r in recorded("orders")["llm-rankers pairwise heapsort"] if r["contradictory"] and r["n"] == 30]
    assert run(PRP["heapsort"], 30, judge_of(30, 7, 12.0, ordered=True))[0] != row["order"]


def test_the_authors_optimised_prp_bubble_only_saves(recorded: Recorded, judge_of: JudgeOf) -> None:
    """Unlike their Setwise loop, this one gives the order of the plain one for fewer compares; ``reuse`` saves ours."""
    rows = recorded("orders")
    plain = {(r["n"], r["contradictory"]): r for r in rows["llm-rankers pairwise plain bubblesort"]}
    for row in rows["llm-rankers pairwise optimised bubblesort"]:
        beside = plain[row["n"], row["contradictory"]]
        assert row["order"] == beside["order"] and row["compares"] < beside["compares"]
        judge = judge_of(row["n"], 7, 12.0, ordered=False)
        if not row["contradictory"]:
            order, asked = run(BubbleTopK(1, 10, both_orders=True, reuse=True), row["n"], judge)
            assert order == row["order"] and len(asked) // 2 <= row["compares"]


def test_prp_all_pairs_points_are_the_authors(recorded: Recorded, judge_of: JudgeOf) -> None:
    """Equal points; the authors leave out documents without a win and break ties by who scored first, we by the first
    stage."""
    for row in recorded("orders")["llm-rankers pairwise allpair"]:
        n = row["n"]
        judge = judge_of(n, 7, SIGMA, ordered=row["contradictory"])
        plan = AllPairs().plan(n)
        asked = next(plan)
        with pytest.raises(StopIteration) as done:
            plan.send([judge(group) for group in asked.groups])
        assert list(done.value.value.scores) == row["points"]
        assert sorted(row["order"], key=lambda i: (-row["points"][i], i)) == list(done.value.value.order)
        assert [row["points"][i] for i in row["order"]] == sorted(row["points"], reverse=True)


@pytest.mark.parametrize(("reference", "both_orders"), [("pygaggle duot5", True), ("rank_llm duot5", False)])
def test_duot5_sums_are_the_authors(recorded: Recorded, judge_of: JudgeOf, reference: str, both_orders: bool) -> None:
    """pygaggle asks every ordered pair, which is our default; rank_llm each pair once."""
    for row in recorded("orders")[reference]:
        judge = judge_of(row["n"], 3, SIGMA, ordered=True)

        def probability(group: Sequence[int], judge: Judge = judge) -> tuple[float, float]:
            first, second = judge(group)
            p = 1 / (1 + exp((second - first) / 20))
            return p, 1 - p

        plan = AllPairs(both_orders=both_orders, points="sum").plan(row["n"])
        asked = next(plan)
        with pytest.raises(StopIteration) as done:
            plan.send([probability(group) for group in asked.groups])
        assert done.value.value.scores == pytest.approx(row["points"], abs=1e-9)
        if "order" in row:
            assert list(done.value.value.order) == row["order"]


def test_partition_is_the_authors_with_three_corrections(recorded: Recorded, judge_of: JudgeOf) -> None:
    """The early exit compared with the right number, later leftovers put before earlier ones, and no stop when the
    buffer is full: with these in the authors' loop, it asks the same groups in the same sequence as ours."""
    differs = 0
    for row in recorded("orders")["TDPart corrected"]:
        order, asked = run(TopDownPartition(), row["n"], judge_of(row["n"], row["seed"], SIGMA, ordered=True))
        assert (order, digest(asked), len(asked)) == (row["order"], row["groups"], row["calls"])
        differs += row["coded_order"] != order
    assert differs
    (row,) = recorded("orders")["TDPart shuffled, perfect judge"]
    assert (row["coded_right"], row["mended_right"], row["of"]) == (0, 100, 100)


def test_partition_of_one_window_is_asked_once(recorded: Recorded, judge_of: JudgeOf) -> None:
    """The authors sort 20 documents twice: the exit that never fires."""
    (row, *_) = [r for r in recorded("orders")["TDPart corrected"] if r["n"] == 20]
    _, asked = run(TopDownPartition(), 20, judge_of(20, row["seed"], SIGMA, ordered=True))
    assert (row["coded_calls"], len(asked)) == (2, 1)


def test_tournament_deals_and_scores_as_tourrank(recorded: Recorded, judge_of: JudgeOf) -> None:
    """One tournament over 100: the same five stages of groups and survivors and the same points. Inside a group both
    sides shuffle; the judge does not mind."""
    for row in recorded("orders")["TourRank filter_processing"]:
        judge = judge_of(100, row["seed"], SIGMA, ordered=False)
        schedule = PointsTournament(rounds=1)
        plan, asked = schedule.plan(100), []
        groups = next(plan).groups
        with pytest.raises(StopIteration) as done:
            while True:
                asked += [sorted(group) for group in groups]
                groups = plan.send([judge(group) for group in groups]).groups
        assert asked == [group for group, _ in row["groups"]]
        assert list(done.value.value.scores) == row["points"]
    assert [m for _, m in row["groups"]] == [10] * 5 + [4] * 5 + [10, 5, 2]


def test_the_judge_is_not_perfect(judge_of: JudgeOf) -> None:
    """Otherwise these tests would only compare sorting with sorting."""
    worth = judge_of(100, 100, 0.0, ordered=False)(range(100))
    exact, _ = run(SlidingWindow(), 100, perfect(worth))
    erring, _ = run(SlidingWindow(), 100, judge_of(100, 100, SIGMA, ordered=True))
    assert exact[:10] != erring[:10] and exact[:10] == sorted(range(100), key=lambda i: -worth[i])[:10]
