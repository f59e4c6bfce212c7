"""The gate's report says per set what each query cost, before and after, loading apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from shortlist import Ranking
from shortlist.core.types import Call, Usage
from shortlist.pipeline import Stage
from shortlist.train.gate import Unchanged, gate, held_out
from shortlist.train.generated import generated
from shortlist.train.verdict import Cost


@dataclass
class Clock:
    """Stands in for the module time where the gate asks for it: moves only when somebody works."""

    now: float = 1_000.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class Paid(Stage):
    """Loads for 0.4 seconds at its first call; a query costs a call, ten tokens and a hundredth of a second."""

    clock: Clock
    asked: list[str] = field(default_factory=list)

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        from dataclasses import replace

        self.clock.now += 0 if self.asked else 0.4
        done = []
        for ranking in rankings:
            self.clock.now += 0.01
            self.asked.append(ranking.query.id)
            call = Call(tuple(ranking.ids), tuple(0.0 for _ in ranking.ids), usage=Usage(1, 8, 2))
            done.append(replace(ranking, trace=(call,)))
        return done


def test_costs_stand_per_set_and_query_and_nothing_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [held_out("a", generated(6, 4, seed=1, name="a")), held_out("b", generated(3, 4, seed=2, name="b"))]
    clock = Clock()
    monkeypatch.setattr("shortlist.train.gate.time", clock)
    new = Paid(clock)
    verdict = gate(Unchanged(), new, sets)
    assert sorted(new.asked) == sorted(r.query.id for held in sets for r in held.rankings)
    plain = json.loads(json.dumps(verdict.to_dict()))
    assert [row["set"] for row in plain["rows"]] == ["a", "b", "all queries"]
    for row, queries in zip(plain["rows"], (6, 3, 9), strict=True):
        cost = row["costs"]["new"]
        assert (cost["queries"], cost["calls"], cost["tokens"], cost["tokens_per_query"]) == (
            queries, queries, 10 * queries, 10,
        )  # fmt: skip
        assert cost["seconds_per_query"] == pytest.approx(0.01)  # without the time of loading
        assert row["costs"]["baseline"]["tokens"] == 0
    assert plain["rows"][0]["costs"]["new"]["first"] == pytest.approx(0.41)
    assert plain["rows"][1]["costs"]["new"]["first"] == 0
    page = verdict.markdown()
    assert "| a | new | 6 | 6 | 60 |" in page
    assert "| all queries | new | 9 | 9 | 90 |" in page
    assert "loading included: baseline 0.0 s, new 0.4 s" in page


def test_one_query_is_its_own_cost() -> None:
    assert Cost(1, 1, 7, 2.0, 2.0).seconds_per_query == pytest.approx(2.0)
    assert Cost(0, 0, 0, 0.0).seconds_per_query == 0.0
    assert Cost(3, 3, 9, 5.0, 3.0).seconds_per_query == pytest.approx(1.0)
