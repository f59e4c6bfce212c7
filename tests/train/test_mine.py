"""Hard negatives: which ranks, which are left out, and that a draw depends on nothing but seed and query."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from shortlist import Candidate, Document, Query, Ranking
from shortlist.backends.fake import Oracle
from shortlist.core.errors import ConfigError
from shortlist.drive import Scheduled
from shortlist.formats.features import grade_of
from shortlist.schedules import Map
from shortlist.scorers import Pairs
from shortlist.train import LeakReport, Mine, with_positives, without_leaks

TEACHER = Scheduled(Pairs(Oracle()), Map())  # scores a document by the number its text begins with


def run(texts: list[str], query: str = "q", grades: Mapping[int, int] | None = None) -> Ranking:
    """Documents d1, d2 ... in rank order, the first-stage score falling from 100."""
    documents = [
        Document(f"d{i}", text, metadata={"grade": grades[i]} if grades and i in grades else {})
        for i, text in enumerate(texts, 1)
    ]
    return Ranking(Query(query, "text of " + query), tuple(Candidate(d, 100.0 - i) for i, d in enumerate(documents)))


def ids(ranking: Ranking) -> list[str]:
    return list(ranking.ids)


def test_positives_come_first_and_negatives_from_the_window() -> None:
    ranking = run(["text"] * 30, grades={4: 1, 9: 2, 20: 0})
    (mined,) = Mine(negatives=5, first=3, last=8, take="top").apply([ranking])
    assert ids(mined) == ["d9", "d4", "d3", "d5", "d6", "d7", "d8"]
    assert [grade_of(c) for c in mined.candidates] == [2, 1, 0, 0, 0, 0, 0]
    (random,) = Mine(negatives=3, first=3, last=8).apply([ranking])
    assert ids(random)[:2] == ["d9", "d4"] and set(ids(random)[2:]) < {"d3", "d5", "d6", "d7", "d8"}
    (mixed,) = Mine(negatives=4, first=1, last=5, random=2, take="top").apply([ranking])
    behind = set(ids(mixed)[4:])
    assert ids(mixed)[2:4] == ["d1", "d2"] and len(behind) == 2
    assert behind <= {f"d{i}" for i in range(6, 31)} - {"d9"}


def test_a_draw_depends_on_seed_and_query_only() -> None:
    rankings = [run(["text"] * 40, query=f"q{i}", grades={1: 1}) for i in range(6)]
    together = Mine(seed=3).apply(rankings)
    assert together == [Mine(seed=3).apply([r])[0] for r in rankings]
    assert len({tuple(ids(r)) for r in together}) == 6
    assert [ids(r) for r in Mine(seed=4).apply(rankings)] != [ids(r) for r in together]


def test_likely_false_negatives_are_left_out_by_margin_and_by_share_and_counted() -> None:
    texts = ["10 positive", "12 better", "9 near", "6 fair", "1 bad", "9 judged bad"]
    ranking = run(texts, grades={1: 1, 6: 0})
    (scored,) = TEACHER.rerank([ranking])
    assert ids(scored)[0] == "d2"
    (mined,) = Mine(margin=3.0, take="top").apply([scored])
    assert ids(mined) == ["d1", "d4", "d5", "d6"]  # in first-stage order; judged documents are never doubted
    assert mined.repairs == {"likely_false_negative": 2, "fewer_negatives": 4}
    assert [c.score for c in mined.candidates] == [10, 6, 1, 9]
    (shared,) = Mine(share=0.95, take="top", negatives=4).apply([scored])
    assert ids(shared) == ["d1", "d3", "d4", "d5", "d6"] and not shared.repairs.get("fewer_negatives")
    through = (TEACHER >> Mine(margin=3.0, take="top"))([ranking])
    assert ids(through[0]) == ids(mined)


def test_what_cannot_be_a_sample_says_why() -> None:
    (none,) = Mine().apply([run(["text"] * 5)])
    assert none.status == "unscored" and none.reason == "no document is judged relevant"
    (alone,) = Mine().apply([run(["text"], grades={1: 1})])
    assert alone.status == "unscored" and "no negative is left of 0 at ranks 1 to 100" in alone.reason
    with pytest.raises(ConfigError, match="'d9' has none; put a reranker in front"):
        missed = with_positives([run(["text"] * 3)], {"q": {"d9": 1}}, {"d9": Document("d9", "far")})
        Mine(margin=1.0).apply(list(missed))
    for wrong in (
        {"negatives": 0},
        {"first": 5, "last": 4},
        {"random": 9},
        {"take": "best"},
        {"last": None, "random": 1},
    ):
        with pytest.raises(ConfigError):
            Mine(**wrong)  # type: ignore[arg-type]


def test_positives_that_the_run_missed_are_added_and_ungraded_documents_stay_so() -> None:
    corpus = {"d9": Document("d9", "far away")}
    (ranking,) = with_positives([run(["a", "b"])], {"q": {"d2": 1, "d9": 2, "d8": 0}}, corpus)
    assert ids(ranking) == ["d1", "d2", "d9"]
    assert [grade_of(c) for c in ranking.candidates] == [None, 1, 2]
    assert ranking.candidates[2].score is None


def test_evaluation_queries_are_left_out_whatever_their_spelling() -> None:
    report = LeakReport()
    rankings = [run(["a"], query=q) for q in ("one", "two", "three")]
    evaluation = {"test-set": [Query("e1", "Text of  TWO?"), Query("e2", "something else"), Query("e3", "")]}
    kept = list(without_leaks(rankings, evaluation, report))
    assert [r.query.id for r in kept] == ["one", "three"]
    assert report.count == 1 and report.examples == [("two", "test-set", "e1")]
    assert report.lines() == ["1 training queries left out: they are queries of test-set"]
