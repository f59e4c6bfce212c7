"""compare: pairing, tests, corrections, and what it refuses."""

from __future__ import annotations

import math
import random

import pytest

from shortlist.core.errors import ConfigError, InputError, UnknownName
from shortlist.evaluate import compare, evaluate
from shortlist.evaluate.stats import bootstrap_interval, correct, permutation_test, t_test, wilcoxon_test

QRELS = {f"q{i}": {"r": 1, "s": 2} for i in range(30)}


def noisy(strength: float, seed: int) -> dict[str, dict[str, float]]:
    rng = random.Random(seed)
    return {q: {d: rng.gauss(0, 1) + strength * QRELS[q].get(d, 0) for d in ["r", "s", *"abcdefgh"]} for q in QRELS}


RUNS = {"weak": noisy(0.0, 1), "same": noisy(0.0, 2), "strong": noisy(2.0, 3)}


def test_rows_are_the_paired_statistics() -> None:
    result = compare(RUNS, QRELS, "nDCG@10 RR", baseline="same")
    assert (result.baseline, result.queries) == ("same", 30)
    assert [(row.run, row.measure) for row in result.rows] == [
        ("weak", "nDCG@10"),
        ("weak", "RR"),
        ("strong", "nDCG@10"),
        ("strong", "RR"),
    ]
    found = {e.name: e for e in result.evaluations}
    assert [e.name for e in result.evaluations] == ["same", "weak", "strong"]
    p_values = []
    for row in result.rows:
        base, other = found["same"].values[row.measure], found[row.run].values[row.measure]
        differences = [other[q] - base[q] for q in QRELS]
        assert row.difference == pytest.approx(row.mean - row.baseline_mean)
        assert row.p == t_test(differences)
        assert (row.low, row.high) == bootstrap_interval(differences)
        assert row.wins + row.ties + row.losses == 30
        assert row.wins == sum(d > 0 for d in differences)
        largest = max(differences, key=abs)
        assert row.changed[0][1] == largest
        assert len(row.changed) == 5
        p_values.append(row.p)
    assert [row.p_corrected for row in result.rows] == correct(p_values, "holm")
    assert result.rows[2].p_corrected < 0.001 < 0.05 < result.rows[0].p_corrected
    assert result.rows[2].effect_size > 0.8


@pytest.mark.parametrize(("test", "function"), [("permutation", permutation_test), ("wilcoxon", wilcoxon_test)])
def test_other_tests(test: str, function: object) -> None:
    result = compare(RUNS, QRELS, "nDCG@10", test=test, correction="none", seed=5)  # type: ignore[arg-type]
    base, other = (result.evaluations[i].values["nDCG@10"] for i in (0, 1))
    differences = [other[q] - base[q] for q in QRELS]
    extra = {"samples": 10_000, "seed": 5} if test == "permutation" else {}
    assert result.rows[0].p == result.rows[0].p_corrected == function(differences, **extra)  # type: ignore[operator]


def test_a_run_against_itself_differs_in_nothing() -> None:
    row = compare({"a": RUNS["weak"], "b": RUNS["weak"]}, QRELS, "nDCG@10").rows[0]
    assert (row.difference, row.p, row.low, row.high, row.effect_size) == (0.0, 1.0, 0.0, 0.0, 0.0)
    assert (row.wins, row.ties, row.losses, row.changed) == (0, 30, 0, ())


def test_the_same_difference_everywhere_has_an_infinite_effect_and_survives_json() -> None:
    first = {q: {"r": 2.0, "a": 1.0} for q in QRELS}
    second = {q: {"r": 1.0, "a": 2.0} for q in QRELS}
    result = compare({"first": first, "second": second}, QRELS, "RR")
    assert result.rows[0].effect_size == -math.inf
    assert (result.rows[0].p, result.rows[0].difference) == (0.0, -0.5)
    assert result.to_dict()["rows"][0]["effect_size"] is None


def test_tolerance_makes_ties() -> None:
    result = compare(RUNS, QRELS, "nDCG@10", tolerance=2.0)
    assert {(row.wins, row.ties, row.losses) for row in result.rows} == {(0, 30, 0)}


def test_evaluations_can_be_compared() -> None:
    found = [evaluate(run, QRELS, "RR", name=name) for name, run in RUNS.items()]
    assert compare(found).to_dict() == compare(RUNS, QRELS, "RR").to_dict()


def test_missing_queries_are_paired_as_zero() -> None:
    half = {q: docs for i, (q, docs) in enumerate(RUNS["strong"].items()) if i % 2}
    row = compare({"all": RUNS["strong"], "half": half}, QRELS, "nDCG@10").rows[0]
    assert (row.wins, row.ties) == (0, 15)
    assert row.losses == 15


def test_what_cannot_be_compared() -> None:
    one = evaluate(RUNS["weak"], QRELS, "RR", name="one")
    with pytest.raises(ConfigError, match="at least two runs with different names"):
        compare([one])
    with pytest.raises(ConfigError, match="at least two runs with different names"):
        compare([one, one])
    with pytest.raises(ConfigError, match="has the measures"):
        compare([one, evaluate(RUNS["weak"], QRELS, "AP", name="two")])
    fewer = {q: docs for q, docs in QRELS.items() if q != "q3"}
    with pytest.raises(InputError, match="different judged queries"):
        compare([one, evaluate(RUNS["weak"], fewer, "RR", name="two")])
    single = {"q1": {"r": 1}}
    with pytest.raises(InputError, match="at least 2 judged queries"):
        compare(RUNS, single, "RR")
    with pytest.raises(ConfigError, match="need qrels"):
        compare(RUNS)
    with pytest.raises(ConfigError, match="hold their judgements already"):
        compare([one], QRELS)
    with pytest.raises(UnknownName, match="did you mean 'strong'"):
        compare(RUNS, QRELS, "RR", baseline="stron")
    with pytest.raises(UnknownName, match="no test named"):
        compare(RUNS, QRELS, "RR", test="z")  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="no correction named"):
        compare(RUNS, QRELS, "RR", correction="sidak")  # type: ignore[arg-type]
