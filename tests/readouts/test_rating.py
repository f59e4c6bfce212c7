"""Grades in generated text, and grades weighted by their probability."""

from __future__ import annotations

import math

import pytest

from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Completion, Reading
from shortlist.core.protocols import Capability
from shortlist.core.types import MISSING
from shortlist.readouts import Rating


def kinds(reading: Reading) -> dict[str, int]:
    return {repair.kind: repair.count for repair in reading.repairs}


@pytest.mark.parametrize(
    ("text", "value", "mended"),
    [
        ("7", 7.0, set()),
        ("7.5", 7.5, set()),
        ("**7**", 7.0, set()),
        ("7. It answers 3 of 4 questions", 7.0, set()),
        ("７", 7.0, set()),
        ("٧", 7.0, set()),
        ("⑦", 7.0, set()),
        ("<answer>7</answer>", 7.0, set()),
        ("<answer> 7 </answer> 3", 7.0, set()),
        ("<answer>2</answer><answer>7</answer>", 7.0, set()),
        ("<answer><score>7</score> of 10</answer>", 7.0, set()),
        ("<score>7</score>", 7.0, set()),
        ("<answer>7", 7.0, {"unclosed_tag"}),
        ("<think>9</think>7", 7.0, set()),
        ("Relevance: 7", 7.0, set()),
        ("**Relevance score:** 7/10", 7.0, set()),
        ('{"relevance_score": 7}', 7.0, set()),
        ("Score (0-10): 7", 7.0, {"used_fallback"}),
        ("Score range 0-10. Score: 7", 7.0, set()),
        ("The score is 7", 7.0, set()),
        ("7 out of 10", 7.0, set()),
        ("Relevance: 3/5", 6.0, {"rescaled"}),
        ("I would say it deserves 7", 7.0, {"used_fallback"}),
        ("10x better, so 7", 7.0, {"used_fallback"}),
        ("11", 10.0, {"clipped_out_of_range"}),
        ("-1", 0.0, {"clipped_out_of_range"}),
        ("\udfff3 out of 5/", 6.0, {"rescaled"}),
        ("1e30", 10.0, {"clipped_out_of_range"}),
        ("9" * 10_000, 10.0, {"clipped_out_of_range"}),
    ],
)
def test_grades(text: str, value: float, mended: set[str]) -> None:
    reading = Rating().read(Completion(text), 1)
    assert (reading.scores, set(kinds(reading)), reading.valid) == ((value,), mended, True)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "no_number"),
        ("highly relevant", "no_number"),
        ("<answer></answer> 7", "no_number"),
        ("between 0-10", "no_number"),
        ("v1.2.3", "no_number"),
        ("NaN", "no_number"),
        ("<think>7", "invalid_open_think"),
    ],
)
def test_no_grade(text: str, kind: str) -> None:
    reading = Rating().read(Completion(text), 1)
    if text == "between 0-10":  # the end of a range is still a number that stands somewhere
        assert kinds(reading) == {"used_fallback": 1}
    else:
        assert (reading.scores, reading.valid, set(kinds(reading))) == ((MISSING,), False, {kind})


def test_out_of_range_can_be_invalid() -> None:
    reading = Rating(out_of_range="invalid").read(Completion("11"), 1)
    assert (reading.valid, kinds(reading)) == (False, {"out_of_range": 1})


def test_a_cut_number_that_could_go_on_is_not_a_grade() -> None:
    assert set(kinds(Rating().read(Completion("Score: 1", finished=False), 1))) == {
        "dropped_cut_number",
        "truncated_output",
    }
    assert Rating().read(Completion("Score: 7", finished=False), 1).scores == (7.0,)
    assert Rating().read(Completion("Score: 1", finished=True), 1).scores == (1.0,)
    assert Rating(high=4.0).read(Completion("1", finished=False), 1).scores == (1.0,)


def test_grade_times_its_probability() -> None:
    erank = Rating(weight="probability")
    labels = {str(g): math.log(0.05) for g in range(11)} | {"7": math.log(0.5)}
    reading = erank.read(Completion("<answer>7</answer>", labels), 1)
    assert reading.scores[0] == pytest.approx(7 * 0.5)
    assert reading.repairs == ()
    assert erank.labels(1) == tuple(str(g) for g in range(11))
    assert erank.requires == {Capability.GENERATE, Capability.LABEL_LOGITS}
    assert Rating().requires == {Capability.GENERATE} and Rating().labels(1) == ()


def test_weighting_without_the_probability_keeps_the_grade_and_says_so() -> None:
    erank = Rating(weight="probability")
    assert kinds(erank.read(Completion("7"), 1)) == {"unweighted": 1, "label_not_returned": 11}
    half = erank.read(Completion("6.5", {"6": 0.0}), 1)
    assert half.scores == (6.5,) and "unweighted" in kinds(half)
    some = erank.read(Completion("7", {"7": 0.0, "8": 0.0}), 1)
    assert some.scores == (3.5,) and kinds(some) == {"label_not_returned": 9}


def test_one_grade_is_about_one_document() -> None:
    assert Rating().max_group == 1 and Rating().comparable == "across"
    reading = Rating().read(Completion("7"), 2)
    assert (reading.scores, kinds(reading)) == ((MISSING, MISSING), {"group_too_large": 1})


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": 5.0, "high": 5.0},
        {"high": math.inf},
        {"low": math.nan},
        {"out_of_range": "drop"},
        {"weight": "probability", "high": 1000.0},
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Rating(**wrong)  # type: ignore[arg-type]
