"""Values worked out by hand, and the order that they rest on."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import InputError, RankingError, ScoreError
from shortlist.measures import Graded, grade, parse, tie_extremes, tie_groups, trec_order

# five documents: relevant (3), unjudged, judged 0, relevant (1), negative; one relevant (2) was not retrieved
FIVE = Graded(5, (0, 2, 3, 4), (3, 0, 1, -1), (3, 2, 1, 0, -1))
LOG = [math.log2(i + 2) for i in range(6)]


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        ("nDCG", (3 / LOG[0] + 1 / LOG[3]) / (3 / LOG[0] + 2 / LOG[1] + 1 / LOG[2])),
        ("nDCG@1", 1.0),
        ("nDCG@2", 3 / LOG[0] / (3 / LOG[0] + 2 / LOG[1])),
        ("nDCG(dcg='exp-log2')@2", 7 / LOG[0] / (7 / LOG[0] + 3 / LOG[1])),
        ("nDCG(gains={3:1})@2", 1 / LOG[0] / (2 / LOG[0] + 1 / LOG[1])),
        ("nDCG(judged_only=True)@3", (3 / LOG[0] + 1 / LOG[2]) / (3 / LOG[0] + 2 / LOG[1] + 1 / LOG[2])),
        ("RR", 1.0),
        ("RR(rel=4)", 0.0),
        ("AP", (1 / 1 + 2 / 4) / 3),
        ("AP@3", (1 / 1) / 3),
        ("AP(rel=2)", (1 / 1) / 2),
        ("AP(rel=4)", 0.0),
        ("P@2", 1 / 2),
        ("P@10", 2 / 10),
        ("R@1", 1 / 3),
        ("R@100", 2 / 3),
        ("Success@1", 1.0),
        ("Success(rel=4)@5", 0.0),
        ("Judged@2", 1 / 2),
        ("Judged", 4 / 5),
        ("Judged@50", 4 / 5),
        ("RBP", 0.2 * (1 + 0.8**3)),
        ("RBP(p=0.5)@2", 0.5),
        ("RBP(rel=2)", 0.2),
        ("ERR", 7 / 16 + 9 / 16 * (1 / 16) / 4),
        ("ERR@2", 7 / 16),
        ("Rprec", 1 / 3),
        ("Bpref", (1 + (1 - 1 / 1)) / 3),
        ("SetP", 2 / 5),
        ("SetP(relative=True)", 2 / 3),
        ("SetR", 2 / 3),
        ("SetF", 2 * (2 / 5) * (2 / 3) / (2 / 5 + 2 / 3)),
        ("SetAP", (2 / 5) * (2 / 3)),
        ("IPrec@0.0", 1.0),
        ("IPrec@0.5", 1 / 2),
        ("IPrec@1.0", 0.0),
        ("NumRet", 5),
        ("NumRelRet", 2),
        ("NumRel", 3),
        ("NumQ", 1),
    ],
)
def test_by_hand(measure: str, value: float) -> None:
    assert parse(measure).compute(FIVE) == pytest.approx(value, abs=1e-15)


def test_nothing_retrieved_and_nothing_relevant_are_zero() -> None:
    for name in (
        "nDCG@10",
        "nDCG",
        "AP",
        "RR",
        "P@5",
        "R@5",
        "Judged@5",
        "Rprec",
        "Bpref",
        "SetF",
        "SetP",
        "IPrec@0.0",
    ):
        assert parse(name).compute(Graded(0, (), (), (2, 1))) == 0.0, name
        assert parse(name).compute(Graded(1, (), (), (0,))) == 0.0, name


def test_err_refuses_grades_beyond_its_scale() -> None:
    with pytest.raises(InputError, match="grades up to 4; the judgements have 5"):
        parse("ERR@10").compute(Graded(1, (0,), (5,), (5,)))


def test_order_is_by_score_then_by_id_downwards_in_bytes() -> None:
    ids = ["a", "B", "é", "b", "10", "9"]
    assert trec_order(ids, [1.0] * 6)[0] == ["é", "b", "a", "B", "9", "10"]
    assert trec_order([i.encode() for i in ids], [1.0] * 6)[0] == [i.encode() for i in ["é", "b", "a", "B", "9", "10"]]
    assert trec_order(["a", "b", "c"], [0.5, -math.inf, 0.7])[0] == ["c", "a", "b"]


def test_scores_are_compared_as_32_bit_floats() -> None:
    assert trec_order(["a", "b"], [1.0 + 1e-9, 1.0])[0] == ["b", "a"]
    assert trec_order(["a", "b"], [1.0 + 1e-6, 1.0])[0] == ["a", "b"]
    assert trec_order(["a", "b"], [2e300, 1e300])[0] == ["b", "a"]


def test_what_is_not_a_ranking_is_refused() -> None:
    with pytest.raises(RankingError, match="listed twice: 'a'"):
        trec_order(["a", "b", "a"], [3.0, 2.0, 1.0])
    with pytest.raises(ScoreError, match="document 'b': the score is NaN"):
        trec_order(["a", "b"], [1.0, math.nan])
    with pytest.raises(ScoreError, match="document 'b': score None is not a number"):
        trec_order(["a", "b"], [1.0, None])  # type: ignore[list-item]


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.0]), st.integers(-1, 3) | st.none()), max_size=12), st.randoms())
def test_no_order_of_ties_leaves_the_extremes(docs: list[tuple[float, int | None]], rng: object) -> None:
    docs = sorted(docs, key=lambda d: -d[0])
    ids = [str(i) for i in range(len(docs))]
    judged = {i: g for i, (_, g) in zip(ids, docs, strict=True) if g is not None} | {"elsewhere": 2}
    groups = tie_groups([s for s, _ in docs])
    worst, best = tie_extremes(grade(ids, judged), groups)
    shuffled = list(ids)
    for start, end in groups:
        part = shuffled[start:end]
        rng.shuffle(part)  # type: ignore[attr-defined]
        shuffled[start:end] = part
    seen = grade(shuffled, judged)
    for name in ("nDCG@3", "nDCG", "AP", "RR", "P@2", "R@4", "RBP", "ERR", "Rprec", "Bpref", "Judged@3", "Success@1"):
        measure = parse(name)
        low, value, high = (measure.compute(g) for g in (worst, seen, best))
        assert low - 1e-12 <= value <= high + 1e-12, name


@given(st.lists(st.integers(-1, 4) | st.none(), max_size=10), st.permutations(range(10)))
def test_no_order_beats_the_ideal_one(grades: list[int | None], order: list[int]) -> None:
    ids = [str(i) for i in range(len(grades))]
    judged = {i: g for i, g in zip(ids, grades, strict=True) if g is not None} | {"elsewhere": 1}
    seen = grade([ids[i] for i in order if i < len(ids)], judged)
    for name in ("nDCG@5", "nDCG(dcg='exp-log2')@5", "AP", "RR@3", "P@2", "R@4", "RBP", "ERR", "Bpref", "Judged@3"):
        assert parse(name).compute(seen) <= parse(name).compute(seen.ideal()) + 1e-12, name
