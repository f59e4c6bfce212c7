"""Matches filled up to one size: the same winners and calls, every match full, nobody wins a match it only fills."""

from __future__ import annotations

import pytest

from shortlist.drive.simulate import cost, first_stage, perfect, simulate
from shortlist.schedules import EliminationTournament


@pytest.mark.parametrize("survivors", [1, 2])
@pytest.mark.parametrize("n", [6, 23, 95, 100])
def test_filled_matches_cost_no_call_and_change_no_rank(survivors: int, n: int) -> None:
    relevance = first_stage(n, 15.0, seed=n)
    seen: list[tuple[int, ...]] = []

    def judge(group: tuple[int, ...]) -> tuple[float, ...]:
        seen.append(group)
        return perfect(relevance)(group)

    plain = simulate(EliminationTournament(5, survivors, 10), n, perfect(relevance))
    filled = simulate(EliminationTournament(5, survivors, 10, fill=True), n, judge)
    assert (filled.order, filled.calls, filled.steps) == (plain.order, plain.calls, plain.steps)
    assert all(list(group) == sorted(group) for group in seen)
    full = [len(group) for group in seen if n - 10 >= 5]
    assert set(full) <= {5}


def test_documents_that_have_won_fill_no_match() -> None:
    groups: list[tuple[int, ...]] = []

    def judge(group: tuple[int, ...]) -> tuple[float, ...]:
        groups.append(group)
        return tuple(-float(i) for i in group)

    done = simulate(EliminationTournament(5, 1, 3, fill=True), 12, judge)
    assert done.order[:3] == (0, 1, 2)
    first, later = groups[:4], groups[4:]  # three matches of five, five and two, and the final
    assert [len(group) for group in groups] == [5] * len(groups)
    assert first[2] == (0, 1, 2, 10, 11)
    assert later
    assert all(0 not in group for group in later)


def test_costs_are_those_of_the_authors_tournament() -> None:
    """Their loop (soyoung97/ListT5 6838938, ``run_one_loop``) with a perfect judge over the same 20 lists takes 52.8
    and 100.5 calls; the same ten documents come out."""
    assert cost(EliminationTournament(5, 1, fill=True)).calls == pytest.approx(52.8, rel=0.04)
    assert cost(EliminationTournament(5, 2, fill=True)).calls == pytest.approx(100.5, rel=0.08)
