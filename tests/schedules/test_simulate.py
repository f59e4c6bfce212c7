"""The simulator counts right, and refuses schedules that break the contract."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import pytest

from shortlist.core.errors import ConfigError, RankingError
from shortlist.core.plans import Outcome, Round
from shortlist.core.types import MISSING, Scores
from shortlist.drive.simulate import Simulation, cost, first_stage, noisy, perfect, silent, simulate
from shortlist.schedules import Map, TopDownPartition


@dataclass(frozen=True)
class Scripted:
    """A schedule that asks given rounds and ends with a given order."""

    asked: tuple[Round, ...]
    order: tuple[int, ...]
    needs_across: bool = False
    group_size: int | None = None

    def exact_top(self, n: int) -> int:
        return 0

    def plan(self, n: int) -> Generator[Round, Sequence[Scores], Outcome]:
        for asked in self.asked:
            assert len((yield asked)) == len(asked.groups)
        return Outcome(self.order)


def test_counts() -> None:
    rounds = (Round(((0, 1), (1, 2)), (0, 1, 2)), Round(((0, 1, 2),), (0, 1, 2)))
    done = simulate(Scripted(rounds, (2, 1, 0)), 3, silent)
    assert done == Simulation((2, 1, 0), calls=3, steps=2, documents=7, largest_group=3)


@pytest.mark.parametrize(
    "schedule",
    [
        Scripted((), (0, 1)),
        Scripted((), (0, 1, 1)),
        Scripted((), (0, 1, 3)),
        Scripted((Round(((0, 1),), (0, 1)),), (0, 1, 2)),
        Scripted((Round((), (0, 1, 2)),), (0, 1, 2)),
        Scripted((Round(((),), (0, 1, 2)),), (0, 1, 2)),
        Scripted((Round(((0, 0),), (0, 1, 2)),), (0, 1, 2)),
        Scripted((Round(((0, 3),), (0, 1, 2)),), (0, 1, 2)),
        Scripted((Round(((0, -1),), (0, 1, 2)),), (0, 1, 2)),
    ],
)
def test_refuses_what_does_not_exist(schedule: Scripted) -> None:
    with pytest.raises(RankingError, match=r"3 (positions|documents)"):
        simulate(schedule, 3, silent)


def test_judges() -> None:
    assert perfect([3, 1, 2])((2, 0)) == (2.0, 3.0)
    assert silent((4, 5)) == (MISSING, MISSING)
    one, two = noisy([3.0, 1.0], 1.0, seed=1), noisy([3.0, 1.0], 1.0, seed=1)
    assert one((0, 1)) == two((0, 1)) != one((0, 1))
    assert noisy([3.0, 1.0], 0.0)((0, 1)) == (3.0, 1.0)


def test_first_stage() -> None:
    assert first_stage(5, 0.0) == [5.0, 4.0, 3.0, 2.0, 1.0]
    assert sorted(first_stage(50, 15.0, 3)) == sorted(first_stage(50, math.inf, 3)) == [float(i) for i in range(1, 51)]
    assert first_stage(50, 15.0, 3) == first_stage(50, 15.0, 3) != first_stage(50, 15.0, 4)
    displaced = [abs(50 - place - r) for place, r in enumerate(first_stage(50, 3.0, 3))]
    assert 0 < sum(displaced) / 50 < 5 < sum(abs(50 - p - r) for p, r in enumerate(first_stage(50, math.inf, 3))) / 50


def test_cost_is_the_mean_over_seeds() -> None:
    runs = [simulate(TopDownPartition(), 100, perfect(first_stage(100, 15.0, s))) for s in range(7)]
    assert cost(TopDownPartition(), seeds=range(7)).calls == sum(r.calls for r in runs) / 7
    assert cost(Map(), 0).calls == 0
    with pytest.raises(ConfigError, match="seeds"):
        cost(Map(), seeds=[])
