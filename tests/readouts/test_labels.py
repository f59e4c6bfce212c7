"""Readouts of log-probabilities: formulas, coverage, and values that are no numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Completion, Reading
from shortlist.core.types import MISSING, Scale
from shortlist.readouts import ExpectedGrade, FirstBeatsSecond, FirstToken, RawLogit, Winner, YesNo

LOGITS = st.floats(-50, 50)


def kinds(reading: Reading) -> dict[str, int]:
    return {repair.kind: repair.count for repair in reading.repairs}


def test_first_orders_by_the_label_itself() -> None:
    reading = FirstToken().read(Completion(labels={"A": -3.0, "B": -0.1, "C": -1.0, "the": 0.0}), 3)
    assert reading == Reading((-3.0, -0.1, -1.0))
    assert FirstToken().labels(3) == ("A", "B", "C")
    assert (FirstToken().max_group, FirstToken().comparable, FirstToken().scale) == (26, "within", Scale.RELATIVE)


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf, "0.5", 10**400])
def test_a_label_without_a_number_is_missing_with_the_coverage(bad: object) -> None:
    labels = {"A": -3.0, "B": bad} if bad is not None else {"A": -3.0}
    reading = FirstToken().read(Completion(labels=labels), 2)  # type: ignore[arg-type]
    assert reading.scores == (-3.0, MISSING) and reading.valid
    assert kinds(reading) == {"label_not_returned": 1}
    assert reading.repairs[0].detail == "1 of 2 labels returned"


def test_no_label_at_all_is_invalid() -> None:
    for labels in (None, {}, {"a": 1.0}):
        reading = FirstToken().read(Completion("[B]", labels), 2)
        assert (reading.scores, reading.valid, kinds(reading)) == ((MISSING, MISSING), False, {"label_not_returned": 2})


def test_more_documents_than_letters() -> None:
    reading = FirstToken().read(Completion(labels={chr(65 + i): 0.0 for i in range(26)}), 28)
    assert reading.scores[25:] == (0.0, MISSING, MISSING) and kinds(reading) == {"label_not_returned": 2}
    assert len(FirstToken().labels(28)) == 26


def test_numbers_are_single_tokens_only_up_to_nine() -> None:
    assert FirstToken("numbers").max_group == 9
    assert len(FirstToken("numbers").labels(12)) == 9


@settings(deadline=None)
@given(LOGITS, LOGITS)
def test_yes_against_no(yes: float, no: float) -> None:
    completion = Completion(labels={"yes": yes, "no": no})
    assert YesNo().read(completion, 1).scores == (yes - no,)
    share = math.exp(yes - max(yes, no)) / (math.exp(yes - max(yes, no)) + math.exp(no - max(yes, no)))
    assert YesNo(output="probability").read(completion, 1).scores[0] == pytest.approx(share)


def test_log_odds_keep_apart_what_a_probability_rounds_to_one() -> None:
    strong, stronger = ({"yes": 40.0, "no": 0.0}, {"yes": 45.0, "no": 0.0})
    odds = [YesNo().read(Completion(labels=x), 1).scores for x in (strong, stronger)]
    shares = [YesNo(output="probability").read(Completion(labels=x), 1).scores for x in (strong, stronger)]
    assert odds[0] < odds[1] and shares[0] == shares[1] == (1.0,)
    assert YesNo().scale is Scale.LOGIT and YesNo(output="probability").scale is Scale.PROBABILITY


@pytest.mark.parametrize("labels", [{}, {"yes": -0.1}, {"no": -0.1}, {"yes": math.nan, "no": 0.0}])
def test_half_a_judgement_is_none(labels: dict[str, float]) -> None:
    for readout, n in ((YesNo(), 1), (FirstBeatsSecond("yes", "no"), 2)):
        reading = readout.read(Completion(labels=labels), n)
        assert reading.scores == (MISSING,) * n and not reading.valid and "label_not_returned" in kinds(reading)


def test_extreme_logits_stay_finite() -> None:
    completion = Completion(labels={"yes": 1.7e308, "no": -1.7e308, "0": 1.7e308, "1": -1.7e308})
    assert math.isfinite(YesNo().read(completion, 1).scores[0])
    assert YesNo(output="probability").read(completion, 1).scores == (1.0,)
    assert ExpectedGrade(("0", "1"), (1.7e308, -1.7e308)).read(completion, 1).scores == (1.7e308,)


def test_duo_shares_add_up_to_one() -> None:
    first, second = FirstBeatsSecond().read(Completion(labels={"true": -0.2, "false": -1.7}), 2).scores
    assert first == pytest.approx(1 / (1 + math.exp(-1.5))) and first + second == pytest.approx(1)


def test_raw_logit() -> None:
    assert RawLogit().read(Completion(labels={"<extra_id_10>": -3.5}), 1) == Reading((-3.5,))
    assert not RawLogit().read(Completion(), 1).valid


@settings(deadline=None)
@given(st.lists(LOGITS, min_size=1, max_size=20))
def test_winner_is_a_softmax(values: list[float]) -> None:
    labels = {chr(65 + i): v for i, v in enumerate(values)}
    shares = Winner().read(Completion(labels=labels), len(values)).scores
    total = sum(math.exp(v - max(values)) for v in values)
    assert shares == pytest.approx([math.exp(v - max(values)) / total for v in values])


def test_winner_shares_among_those_returned() -> None:
    reading = Winner().read(Completion(labels={"A": -1.0, "C": -1.0}), 3)
    assert reading.scores == (0.5, MISSING, 0.5) and kinds(reading) == {"label_not_returned": 1}


def test_expected_grade() -> None:
    readout = ExpectedGrade(("no", "some", "yes"), (0.0, 1.0, 2.0))
    labels = {"no": math.log(0.2), "some": math.log(0.3), "yes": math.log(0.5)}
    assert readout.read(Completion(labels=labels), 1).scores[0] == pytest.approx(1.3)
    without = {k: v for k, v in labels.items() if k != "no"}
    reading = readout.read(Completion(labels=without), 1)
    assert reading.scores[0] == pytest.approx((0.3 + 2 * 0.5) / 0.8) and kinds(reading) == {"label_not_returned": 1}


@settings(deadline=None)
@given(st.floats(0, 4))
def test_expected_grade_writes_what_it_reads(score: float) -> None:
    readout = ExpectedGrade()
    assert readout.read(readout.write([score]), 1).scores[0] == pytest.approx(score, abs=1e-9)


def test_wrong_parameters_are_refused() -> None:
    for wrong in (
        lambda: YesNo("a", "a"),
        lambda: YesNo(output="odds"),  # type: ignore[arg-type]
        lambda: ExpectedGrade(()),
        lambda: ExpectedGrade(("0", "0")),
        lambda: ExpectedGrade(("0", "1"), (1.0,)),
        lambda: ExpectedGrade(("0", "1"), (1.0, math.inf)),
        lambda: FirstToken("letter"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigError):
            wrong()
