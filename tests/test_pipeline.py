"""Operators: then, cutoff, fusion; equal prefixes run once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from shortlist import Candidate, Document, Query, Ranking
from shortlist.backends.fake import Failing, Noisy, Oracle
from shortlist.core.errors import ConfigError, InputError
from shortlist.drive import Fallback, Scheduled
from shortlist.pipeline import Stage, as_rankings
from shortlist.schedules import Map
from shortlist.scorers import Pairs


@dataclass(frozen=True)
class Fixed(Stage):
    """A first stage that always finds documents 0 .. 29, in that order."""

    asked: list[int] = field(default_factory=list, compare=False)

    def retrieve(self, queries: Sequence[Query], *, k: int) -> list[Ranking]:
        self.asked.append(k)
        found = tuple(Candidate(Document(f"d{i}", str(i)), float(-i)) for i in range(min(k, 30)))
        return [Ranking(q, found) for q in queries]


def oracle() -> Scheduled:
    return Scheduled(Pairs(Oracle()), Map())


def test_retrieve_then_rerank_with_cutoffs() -> None:
    first = Fixed()
    (done,) = (first % 20 >> oracle() % 3)(["a query"])
    assert done.ids == ("d19", "d18", "d17")
    assert first.asked == [20]
    assert [(c.first_rank, c.first_score) for c in done.candidates] == [(19, -19.0), (18, -18.0), (17, -17.0)]


def test_a_later_cutoff_reaches_the_last_stage_and_the_smaller_wins() -> None:
    assert [r.ids for r in ((Fixed() >> oracle()) % 2)(["q"])] == [("d29", "d28")]
    assert len((Fixed() % 5 % 9)(["q"])[0].ids) == 5


def test_chaining_is_associative() -> None:
    a, b, c = Fixed(), oracle() % 10, oracle() % 2
    assert ((a >> b) >> c)("q") == (a >> (b >> c))("q")
    assert (a >> b) >> c == a >> (b >> c)


def test_what_a_stage_leaves_unscored_no_later_stage_covers_up() -> None:
    failing = Scheduled(Pairs(Failing(needle="bad")), Map(), on_error="unscored")
    good, bad = (Fixed() % 5 >> failing >> oracle())({"g": "a query", "b": "a bad query"})
    assert (good.status, good.ids[0]) == ("ranked", "d4")
    assert bad.status == "unscored" and "on purpose" in bad.reason
    assert bad.ids == ("d0", "d1", "d2", "d3", "d4")
    (first,) = Fallback((failing >> oracle(), oracle()), ("chain", "alone"))((Fixed() % 5)("a bad query"))
    assert first.status == "ranked" and first.reason.endswith("answered by alone")


def test_equal_prefixes_of_a_fusion_run_once() -> None:
    first = Fixed()
    noisy = Scheduled(Pairs(Noisy(sigma=9.0)), Map())
    (done,) = ((first % 10 >> oracle()) + (first % 10 >> noisy))(["q"])
    assert first.asked == [10]
    assert sorted(done.ids) == sorted(f"d{i}" for i in range(10))


def test_fusion_is_reciprocal_rank_fusion() -> None:
    (done,) = (Fixed() % 3 + (Fixed() % 3 >> oracle()))(["q"])
    scores = {c.id: c.score for c in done.candidates}
    assert scores["d0"] == pytest.approx(1 / 61 + 1 / 63) and scores["d1"] == pytest.approx(2 / 62)
    assert done.ids[0] in ("d0", "d2")


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ("text", ["q1"]),
        (["a", "b"], ["q1", "q2"]),
        ({"x": "a", "y": "b"}, ["x", "y"]),
        ({"x": Query("x", "a")}, ["x"]),
        (Query("z", "a"), ["z"]),
        ([Ranking(Query("r", "a"))], ["r"]),
    ],
)
def test_inputs_are_queries_texts_mappings_or_rankings(given: object, ids: list[str]) -> None:
    assert [r.query.id for r in as_rankings(given)] == ids  # type: ignore[arg-type]


def test_wrong_inputs_and_cutoffs_are_clear_errors() -> None:
    with pytest.raises(InputError, match="input 1 is a int"):
        as_rankings([3])  # type: ignore[list-item]
    with pytest.raises(InputError, match="twice: \\['q'\\]"):
        as_rankings([Query("q", "a"), Query("q", "b")])
    for bad in (-1, 2.5, True, "10"):
        with pytest.raises(ConfigError, match="cutoff"):
            Fixed() % bad  # type: ignore[operator]
    with pytest.raises(ConfigError, match="neither"):
        Stage()(["q"])
