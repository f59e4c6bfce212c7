"""Grades in generated text, and grades weighted by their probability."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Completion, Reading, Token
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


def tokens(*spoken: tuple[str, float]) -> tuple[Token, ...]:
    """Tokens with probabilities."""
    return tuple(Token(text, math.log(p)) for text, p in spoken)


def completion(*spoken: tuple[str, float], prefill: str = "") -> Completion:
    return Completion(prefill + "".join(text for text, _ in spoken), tokens=tokens(*spoken))


def test_grade_times_its_probability() -> None:
    erank = Rating(weight="probability")
    reading = erank.read(completion(("<answer>", 0.9), ("7", 0.5), ("</answer>", 0.8)), 1)
    assert reading.scores[0] == pytest.approx(7 * 0.5)
    assert reading.repairs == ()
    assert erank.labels(1) == ()
    assert erank.requires == {Capability.GENERATE, Capability.TOKEN_LOGPROBS}
    assert Rating().requires == {Capability.GENERATE} and Rating().labels(1) == ()


@pytest.mark.parametrize(
    ("spoken", "score"),
    [
        ([("<answer>", 0.9), ("1", 0.5), ("0", 0.25), ("</answer>", 0.9)], 10 * 0.5 * 0.25),
        ([("<ans", 0.1), ("wer>", 0.2), (" 7", 0.5), (" </answer>", 0.3)], 7 * 0.5),
        ([("<answer>7</", 0.5), ("answer>", 0.1)], 7 * 0.5),
        ([("<think>", 0.1), ("7", 0.2), ("</think>", 0.3), ("<answer>", 0.4), ("7", 0.5), ("</answer>", 1.0)], 7 * 0.5),
        ([("<answer>", 1.0), ("7", 0.5), ("</answer>", 1.0), (" 7", 0.1)], 7 * 0.5),
        ([("7", 0.1), (" or ", 1.0), ("<answer>", 1.0), ("7", 0.5), ("</answer>", 1.0)], 7 * 0.5),
        ([("<answer>", 0.1), ("<score>", 0.2), ("7", 0.5), ("</score>", 0.2), (" 7 </answer>", 0.3)], 7 * 0.5),
        ([("<answer>", 1.0), ("", 0.5), ("", 0.5), ("７", 0.5), ("</answer>", 1.0)], 7 * 0.125),
        ([("⑦", 0.5)], 7 * 0.5),
        ([("\u201c【７】", 0.5)], 7 * 0.5),
        ([("Score: ", 0.1), ("3", 0.5), ("/", 0.9), ("5", 0.9)], 6 * 0.5),
        ([("Score: ", 0.1), ("1", 0.5), ("2", 0.5)], 10 * 0.25),
        ([("<answer>", 0.1), ("6", 0.5), (".", 0.5), ("5", 0.5), ("</answer>", 0.1)], 6.5 * 0.125),
    ],
)
def test_the_probability_is_that_of_the_tokens_which_spell_the_grade(
    spoken: list[tuple[str, float]], score: float
) -> None:
    reading = Rating(weight="probability").read(completion(*spoken), 1)
    assert reading.scores[0] == pytest.approx(score)
    assert "unweighted" not in kinds(reading)


def test_the_tokens_need_not_hold_the_prefill() -> None:
    erank = Rating(weight="probability")
    behind = completion(("it fits</think>", 0.1), ("<answer>", 0.2), ("7", 0.5), ("</answer>", 1.0), prefill="<think>")
    assert erank.read(behind, 1).scores[0] == pytest.approx(3.5)
    inside = completion(("7", 0.5), ("</answer>", 1.0), prefill="<answer>")
    assert erank.read(inside, 1).scores[0] == pytest.approx(3.5)


def test_weighting_without_the_probability_keeps_the_grade_and_says_so() -> None:
    erank = Rating(weight="probability")
    for tokens_given in (
        (),
        tokens(("8", 0.5)),
        tokens(("no number", 0.5)),
        tokens(("<think>7", 0.5)),
        (Token("7", math.nan),),
    ):
        reading = erank.read(Completion("7", tokens=tokens_given), 1)
        assert (reading.scores, kinds(reading)) == ((7.0,), {"unweighted": 1})
    assert erank.read(Completion("7", tokens=(Token("7", 0.001),)), 1).scores == (7.0,)  # a service that rounds up
    assert erank.read(Completion("7", tokens=(Token("7", -math.inf),)), 1).scores == (0.0,)


def test_what_a_weighted_oracle_writes_is_read_back() -> None:
    erank = Rating(weight="probability", high=200.0)
    for score in (0.0, 7.0, 10.0, 6.5, 199.0):
        assert erank.read(erank.write([score]), 1) == Reading((score,))


@given(st.lists(st.tuples(st.text(max_size=6), st.floats()), max_size=12), st.text(max_size=20))
def test_weighting_is_total(spoken: list[tuple[str, float]], text: str) -> None:
    said = tuple(Token(t, p) for t, p in spoken)
    for given_text in (text, "".join(t.text for t in said), "<answer>" + "".join(t.text for t in said)):
        reading = Rating(weight="probability").read(Completion(given_text, tokens=said), 1)
        assert reading.scores == (MISSING,) or 0 <= reading.scores[0] <= 10


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
        {"weight": "probability", "low": -1.0},
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Rating(**wrong)  # type: ignore[arg-type]
