"""The gate: what it accepts, what it refuses and why, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from shortlist import Ranking
from shortlist.core.errors import ConfigError
from shortlist.formats.features import grade_of
from shortlist.pipeline import Stage
from shortlist.train.gate import HeldOut, Unchanged, gate, held_out
from shortlist.train.generated import generated


@dataclass(frozen=True)
class Knowing(Stage):
    """Ranks by the grades, times ``sign``, where the query's id begins with ``begins``; leaves other queries."""

    begins: str
    sign: float = 1.0

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        done = []
        for ranking in rankings:
            values = [self.sign * (grade_of(c) or 0) for c in ranking.candidates]
            known = ranking.query.id.startswith(self.begins)
            order = sorted(range(len(values)), key=lambda i, v=values: -v[i]) if known else range(len(values))
            done.append(ranking.reorder(list(order)).top(k))
        return done


@dataclass(frozen=True)
class Both(Stage):
    first: Stage
    second: Stage

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        pairs = zip(self.first.apply(rankings), self.second.apply(rankings), rankings, strict=True)
        return [a if a.ids != r.ids else b for a, b, r in pairs]


@pytest.fixture
def sets() -> list[HeldOut]:
    return [
        held_out("large", generated(60, 8, seed=1, name="large-")),
        held_out("small", generated(10, 8, seed=2, name="small-")),
    ]


def test_a_better_model_is_accepted(sets: list[HeldOut]) -> None:
    verdict = gate(Unchanged(), Knowing(""), sets)
    assert verdict.accepted
    assert verdict.reasons == ()
    assert [name for name, _ in verdict.rows] == ["large", "small", "all queries"]
    whole = verdict.rows[-1][1]
    assert whole.wins + whole.ties + whole.losses == 70
    assert whole.mean == pytest.approx(1.0)
    page = verdict.markdown()
    assert "accepted" in page
    assert f"{whole.baseline_mean:.4f} | 1.0000" in page
    assert json.loads(json.dumps(verdict.to_dict()))["rows"][0]["set"] == "large"
    assert verdict.costs["new"].queries == 70


def test_a_gain_of_the_large_set_alone_is_told(sets: list[HeldOut]) -> None:
    """60 queries that gain and 10 that lose a little: accepted by the rule, and its reader learns why."""
    model = Both(Knowing("large"), Knowing("small", -1.0))
    better = gate(Unchanged(), Knowing(""), sets)
    assert better.balanced is not None and better.balanced.low > 0 and better.doubt == ""
    rows = {name: row for name, row in better.rows if name != "all queries"}
    assert better.balanced.difference == pytest.approx(sum(row.difference for row in rows.values()) / 2)
    assert better.balanced.low < better.balanced.difference < better.balanced.high
    verdict = gate(Unchanged(), model, sets, margin=1.0)
    mean = verdict.balanced
    assert verdict.accepted and mean is not None
    assert mean.low < verdict.rows[-1][1].low
    one = gate(Unchanged(), Knowing("large"), [sets[0]])
    assert one.balanced is None and one.to_dict()["balanced"] is None and one.doubt == ""
    tie = gate(Unchanged(), Knowing("large"), [sets[0], held_out("first", generated(40, 8, seed=4, name="x-")),
                                               held_out("second", generated(40, 8, seed=5, name="y-"))])  # fmt: skip
    assert tie.accepted and tie.balanced is not None and tie.balanced.low > 0
    assert f"| mean of sets | 3 sets | {tie.balanced.baseline_mean:.4f} |" in tie.markdown()


def test_an_accepted_model_that_lost_in_the_mean_of_sets_says_so() -> None:
    many = held_out("many", generated(400, 8, seed=6, name="large-"))
    few = [held_out(f"few{i}", generated(8, 8, seed=7 + i, name=f"small{i}-")) for i in range(3)]
    verdict = gate(Unchanged(), Both(Knowing("large"), Knowing("small", -1.0)), [many, *few], margin=1.0)
    assert verdict.accepted and verdict.balanced is not None and verdict.balanced.low <= 0
    assert "sets with many queries decided: the interval of the mean of sets" in verdict.markdown().splitlines()[0]
    assert verdict.to_dict()["said"] == f"accepted ({verdict.doubt})"


def test_no_gain_is_not_enough(sets: list[HeldOut]) -> None:
    verdict = gate(Unchanged(), Unchanged(), sets)
    assert not verdict.accepted
    assert "not above 0" in verdict.reasons[0]


def test_a_fall_on_one_set_is_refused_although_the_whole_gains(sets: list[HeldOut]) -> None:
    model = Both(Knowing("large"), Knowing("small", -1.0))
    verdict = gate(Unchanged(), model, sets)
    assert verdict.rows[-1][1].low > 0
    assert not verdict.accepted
    assert verdict.reasons[0].startswith("small falls by")
    assert gate(Unchanged(), model, sets, margin=1.0).accepted


def test_a_set_of_one_query_can_fall_too(sets: list[HeldOut]) -> None:
    one = held_out("one", generated(1, 8, seed=2, name="small-"))
    verdict = gate(Unchanged(), Both(Knowing("large"), Knowing("small", -1.0)), [sets[0], one])
    assert [name for name, _ in verdict.rows] == ["large", "all queries"]
    assert not verdict.accepted
    assert verdict.reasons[0].startswith("one falls by")


def test_the_gate_needs_sets_with_names_of_their_own(sets: list[HeldOut]) -> None:
    for wrong in ([], [sets[0], sets[0]], [held_out("one", generated(1, 8, seed=2))]):
        with pytest.raises(ConfigError):
            gate(Unchanged(), Unchanged(), wrong)
    with pytest.raises(ConfigError):
        gate(Unchanged(), Unchanged(), sets, margin=-1.0)


def test_held_out_samples_do_not_tell_the_teachers_order() -> None:
    samples = generated(5, 6, seed=3)
    made = held_out("x", samples)
    for before, after in zip(samples, made.rankings, strict=True):
        assert sorted(before.ids) == list(after.ids)  # ids were given in first-stage order
        assert all(c.first_rank is None for c in after.candidates)
        assert made.grades[after.query.id] == {c.id: int(grade_of(c) or 0) for c in before.candidates}


def test_one_set_under_two_names_is_refused(sets: list[HeldOut]) -> None:
    with pytest.raises(ConfigError, match="large and copy are one set"):
        gate(Unchanged(), Unchanged(), [*sets, HeldOut("copy", sets[0].rankings, sets[0].grades)])
