"""Picks and verdicts in generated text."""

from __future__ import annotations

import pytest

from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Completion, Reading
from shortlist.core.types import MISSING, Scale
from shortlist.readouts import Permutation, Pick, TaggedAnswer, Verdict


def kinds(reading: Reading) -> dict[str, int]:
    return {repair.kind: repair.count for repair in reading.repairs}


@pytest.mark.parametrize(
    ("text", "picked", "mended"),
    [
        ("C", 2, {}),
        ("C.", 2, {}),
        ("**C**", 2, {}),
        (" Passage C", 2, {}),
        ("passage C is best, not passage A", 2, {"dropped_extra": 1}),
        ("[c]", 2, {}),
        ("The most relevant passage is C", 2, {"used_fallback": 1}),
        ("A good choice is C", 2, {"used_fallback": 1}),
        ("A is the best", 0, {"used_fallback": 1}),
        ("I pick B", 1, {"used_fallback": 1}),
        ("<think>A? B?</think><answer>[C]</answer>", 2, {}),
        ("[Z] or [B]", 1, {"dropped_out_of_range": 1}),
    ],
)
def test_one_letter_is_picked(text: str, picked: int, mended: dict[str, int]) -> None:
    reading = Pick(identifiers="letters").read(Completion(text), 4)
    assert reading.scores == tuple(float(i == picked) for i in range(4))
    assert kinds(reading) == mended


@pytest.mark.parametrize("text", ["", "none of them", "a passage", "[7]", "<think>B", "A good one", "\ud800"])
def test_no_letter_is_no_pick(text: str) -> None:
    reading = Pick(identifiers="letters").read(Completion(text), 4)
    assert not reading.valid and reading.scores == (MISSING,) * 4


def test_last_takes_the_conclusion() -> None:
    text = "Passage A is weak. Passage B is better. So: Passage C"
    first = Pick(identifiers="letters").read(Completion(text), 3)
    last = Pick(identifiers="letters", take="last").read(Completion(text), 3)
    assert (first.scores, last.scores) == ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0))


def test_tournament_picks_tie_and_so_do_the_rest() -> None:
    reading = Pick(2).read(Completion("Document 3, Document 1"), 4)
    assert reading.scores == (1.0, 0.0, 1.0, 0.0)
    assert reading.repairs == () and Pick(2).scale is Scale.POINTS
    assert Pick(2, ordered=True).read(Completion("Document 3, Document 1"), 4).scores == (1.0, 0.0, 2.0, 0.0)


def test_too_few_and_too_many_picks_are_counted() -> None:
    assert kinds(Pick(3).read(Completion("Document 3, Document 3, Document 9"), 4)) == {
        "dropped_out_of_range": 1,
        "picked_too_few": 2,
    }
    assert kinds(Pick(1).read(Completion("Document 3, Document 1"), 4)) == {"dropped_extra": 1}
    assert Pick(5).read(Completion("Document 2, Document 1"), 2).repairs == ()


def test_rank_r1_wants_its_label_in_the_tag() -> None:
    strict = TaggedAnswer(Pick(), on_missing="invalid")
    assert strict.read(Completion("<think>[1]?</think> <answer>[3]</answer>"), 4).scores == (0.0, 0.0, 1.0, 0.0)
    assert kinds(strict.read(Completion("<think>[1]?</think> [3]"), 4)) == {"no_tag": 1}


def test_a_closed_tag_holds_a_whole_answer_though_the_text_was_cut() -> None:
    tagged = TaggedAnswer(Permutation(form="bare"))
    closed = tagged.read(Completion("<answer>3, 2, 1</answer> because", finished=False), 12)
    assert closed.scores[:3] == (10.0, 11.0, 12.0) and kinds(closed) == {"appended_missing": 9}
    still_open = tagged.read(Completion("<answer>3, 2, 1", finished=False), 12)
    assert kinds(still_open) == {"unclosed_tag": 1, "truncated_output": 1, "appended_missing": 10}


@pytest.mark.parametrize(
    ("text", "scores", "mended"),
    [
        ("[A]", (1.0, 0.0), {}),
        ("[[B]]", (0.0, 1.0), {}),
        ("[A] is tempting, but the answer is [B]", (0.0, 1.0), {}),
        ("Assistant A errs; assistant B is right. [B]", (0.0, 1.0), {}),
        ("Passage A", (1.0, 0.0), {}),
        ("b", (0.0, 1.0), {}),
        ("[[C]]", (0.5, 0.5), {}),
        ("It is a tie", (0.5, 0.5), {"used_fallback": 1}),
        ("The better one is B", (0.0, 1.0), {"used_fallback": 1}),
        ("Passage A is shorter than passage B.\n\nPassage B", (0.0, 1.0), {"used_fallback": 1}),
    ],
)
def test_verdicts(text: str, scores: tuple[float, ...], mended: dict[str, int]) -> None:
    reading = Verdict().read(Completion(text), 2)
    assert (reading.scores, kinds(reading), reading.valid) == (scores, mended, True)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Passage A is more relevant than passage B", "ambiguous_verdict"),
        ("", "no_verdict"),
        ("neither", "no_verdict"),
        ("<think>[A]", "invalid_open_think"),
    ],
)
def test_no_verdict(text: str, kind: str) -> None:
    reading = Verdict().read(Completion(text), 2)
    assert (reading.scores, reading.valid, set(kinds(reading))) == ((MISSING, MISSING), False, {kind})


def test_a_verdict_is_about_two() -> None:
    assert kinds(Verdict().read(Completion("[A]"), 3)) == {"not_a_pair": 1}
    assert kinds(Verdict().read(Completion("[A]"), 1)) == {"not_a_pair": 1}
    assert kinds(Verdict(tie=()).read(Completion("[C]"), 2)) == {"no_verdict": 1}


def test_wrong_parameters_are_refused() -> None:
    for wrong in (lambda: Pick(0), lambda: Verdict(("A", "a")), lambda: Verdict(("A", "C"))):
        with pytest.raises(ConfigError):
            wrong()
