"""Orders as models write them: each row has the output, the order that a careful reader sees, and what was mended."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Completion, Reading
from shortlist.core.types import MISSING, Scale
from shortlist.readouts import Permutation


def order(reading: Reading) -> str:
    """1-based identifiers, best first; documents without a score are not in it."""
    named = [i for i, s in enumerate(reading.scores) if s != MISSING]
    return "".join(str(i + 1) for i in sorted(named, key=lambda i: -reading.scores[i]))


def kinds(reading: Reading) -> dict[str, int]:
    return {repair.kind: repair.count for repair in reading.repairs}


def read(text: str, n: int = 3, *, finished: bool = True, **how: object) -> Reading:
    return Permutation(**how).read(Completion(text, finished=finished), n)  # type: ignore[arg-type]


# The nine rows on which the parsers of the field were compared, with the order that the text means.
COMPARED = [
    ("[2] > [1] > [3]", "numbers", "213", {}),
    ("Sure! Here are the top 3: [3] > [1]", "numbers", "312", {"appended_missing": 1}),
    (
        "[1] > [1] > [5]",
        "numbers",
        "123",
        {"dropped_repeated": 1, "dropped_out_of_range": 1, "appended_missing": 2},
    ),
    ("<think>passage [2] is 10x better than 1</think> [3] > [1] > [2]", "numbers", "312", {}),
    ("<think>[2] beats [1] (2 of 3", "numbers", "", {"invalid_open_think": 1}),
    ("1. [3]\n2. [2]\n3. [1]", "numbers", "321", {}),
    ("[③] > [①]", "numbers", "312", {"appended_missing": 1}),
    ("A good ranking: [C] > [B]", "letters", "321", {"appended_missing": 1}),
    ("I think [C] > [B]", "letters", "321", {"appended_missing": 1}),
    ("BA > C", "letters", "", {"no_identifiers": 1}),
    ("[b] > [a]", "letters", "213", {"appended_missing": 1}),
]


@pytest.mark.parametrize(("text", "identifiers", "expected", "mended"), COMPARED)
def test_the_compared_outputs(text: str, identifiers: str, expected: str, mended: dict[str, int]) -> None:
    reading = read(text, identifiers=identifiers)
    assert (order(reading), kinds(reading), reading.valid) == (expected, mended, bool(expected))


STYLES = [
    ("[2][1]", "213"),
    ("[2, 1]", "213"),
    ("[2,1,3]", "213"),
    ("[[2] > [1]]", "213"),
    ("[ 2 ] > [ 1 ]", "213"),
    ("**[2]** > **[1]**", "213"),
    ("```\n[2] > [1]\n```", "213"),
    ('["2", "1"]', "213"),
    ("{'ranking': [3, 1, 2]}", "312"),
    ("[PASSAGE3, PASSAGE1]", "312"),
    ("[Document 3] > [Document 1]", "312"),
    ("[id: 3], [id: 1]", "312"),
    ("[rankstart] [3] > [1] > [2] [rankend]", "312"),
    ("About [1] and [2]... [rankstart] [3] > [1] [rankend] since [2]", "312"),
    ("<answer>[3] > [1] > [2]</answer>", "312"),
    ("[2]\n[1]\n[3]", "213"),
    ("【3】>【1】", "312"),
    ("［３］＞［１］", "312"),
    ("[٣] > [١]", "312"),
    ("[Ⅲ] > [Ⅰ]", "312"),
    ("[3️⃣] > [1️⃣]", "312"),
    ("\u202b[2] > [1]\u202c", "213"),
    ("[\u200b2] > [1]", "213"),
    ("\ufeff[03] > [01]", "312"),
    ("[3] = [1] >= [2]", "312"),
]


@pytest.mark.parametrize(("text", "expected"), STYLES)
def test_listing_styles_are_read_without_a_fallback(text: str, expected: str) -> None:
    reading = read(text)
    assert order(reading) == expected
    assert set(kinds(reading)) <= {"appended_missing"}


FALLBACKS = [
    ("Document 3, Document 1", "312"),
    ("Document 3, ..., Document 1", "312"),
    ("PASSAGE3, PASSAGE1", "312"),
    ('[{"id": 3, "score": 0.9}, {"id": 1, "score": 0.1}]', "312"),
    ("Documents 3, 1 and 2", "312"),
    ("Answer: 3 > 1 > 2", "312"),
    ("3 > 1 > 2", "312"),
    ("3\n1\n2", "312"),
    ("3-1-2", "312"),
    ("3 > 1 > 2. Document 1 is vague", "312"),
    ("Document 3 > Document 1", "312"),
    ("[1-3]", "132"),
    ("1. 3\n2. 2\n3. 1", "321"),
    ("3. about cats\n1. about dogs", "312"),
    ("③②", "321"),
    ("10x better is 3, then 2.5 times, then 1", "312"),
]


@pytest.mark.parametrize(("text", "expected"), FALLBACKS)
def test_unbracketed_numbers_are_a_counted_fallback(text: str, expected: str) -> None:
    reading = read(text)
    assert order(reading) == expected
    assert kinds(reading)["used_fallback"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C > B", "321"),
        ("c > b", "321"),
        ("C, B, A", "321"),
        ("C B A", "321"),
        ("A good ranking: C > B", "321"),
        ("I think C, B", "321"),
        ("Answer: I think C > B", "321"),
        ("Passage C, Passage A", "312"),
        ("1. C\n2. A", "312"),
        ("C > A > B. Passage A is vague", "312"),
    ],
)
def test_unbracketed_letters_count_only_in_a_list(text: str, expected: str) -> None:
    reading = read(text, identifiers="letters")
    assert order(reading) == expected
    assert kinds(reading)["used_fallback"] == 1


@pytest.mark.parametrize(
    ("text", "identifiers"),
    [
        ("", "numbers"),
        (" \n\t ", "numbers"),
        ("No documents are relevant.", "numbers"),
        ("[III] > [I]", "numbers"),
        ("[C] > [B]", "numbers"),
        ("[2] > [1]", "letters"),
        ("A good answer is not here, I think", "letters"),
        ("[2] > [1] ... </think>", "numbers"),
        ("<answer></answer>", "numbers"),
        ("[0] > [4] > [-1]", "numbers"),
        ("[1.5]", "numbers"),
        ("\x00\ud800", "numbers"),
    ],
)
def test_an_answer_without_identifiers_is_invalid_and_says_nothing(text: str, identifiers: str) -> None:
    reading = read(text, identifiers=identifiers)
    assert not reading.valid
    assert reading.scores == (MISSING,) * 3
    assert kinds(reading)["no_identifiers"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>a</think><think>b</think>[2] > [1]", "213"),
        ("<think>a <think>b</think> [2] > [1]", "213"),
        ("<think>x</think> [1] </think> [2] > [1]", "213"),
        ("[3] was first </think> [2] > [1]", "213"),
        ("<THINK>[3]</THINK>[2] > [1]", "213"),
        ("<reason>[3]</reason><answer>[2] > [1]</answer>", "213"),
        ("[THINK][3][/THINK][2] > [1]", "213"),
        ("<think>[1]</think> [2] > [1] <think>", ""),
        ("[2] > [1] <think>or rather", ""),
        ("<think>[2] > [1]", ""),
    ],
)
def test_only_what_follows_the_last_closed_thinking_is_read(text: str, expected: str) -> None:
    reading = read(text)
    assert order(reading) == expected
    assert reading.valid == bool(expected)
    assert ("invalid_open_think" in kinds(reading)) == (not expected)


@pytest.mark.parametrize(
    ("text", "expected", "mended"),
    [
        ("<answer>[1]</answer> no: <answer>[3] > [1] > [2]</answer>", "312", {}),
        ("<answer>draft <answer>[3] > [1] > [2]</answer>", "312", {}),
        ("<answer>[3] > [1] > [2]</answer></answer>", "312", {}),
        ("<ANSWER>[3] > [1] > [2]</ANSWER> [2]", "312", {}),
        ("<answer>[3] > [1] > [2]", "312", {"unclosed_tag": 1}),
    ],
)
def test_the_last_answer_tag_counts(text: str, expected: str, mended: dict[str, int]) -> None:
    reading = read(text)
    assert (order(reading), kinds(reading)) == (expected, mended)


@pytest.mark.parametrize(
    ("text", "expected", "mended"),
    [
        ("[0] > [2] > [1] > [3]", "213", {"dropped_out_of_range": 1}),
        ("[4] > [2] > [1] > [3]", "213", {"dropped_out_of_range": 1}),
        ("[-1] > [2] > [1] > [3]", "213", {"dropped_out_of_range": 1}),
        (f"[{10**30}] > [2] > [1] > [3]", "213", {"dropped_out_of_range": 1}),
        ("[" + "9" * 5000 + "] > [2] > [1] > [3]", "213", {"dropped_out_of_range": 1}),
        ("[2] > [1] > [3] > [2] > [1]", "213", {"dropped_repeated": 2}),
        ("[1-3] > [2] > [1] > [3]", "213", {"dropped_unreadable": 1}),
        ("[2] is weak. Final: [3] > [1] > [2]. So [3] wins", "312", {"ignored_mentions": 2}),
        ("First [1] > [2] > [3]. Better: [3] > [1] > [2]", "312", {"ignored_mentions": 3}),
        ("[3] is best, then [1]; [2] is off topic", "312", {}),
    ],
)
def test_what_is_left_out_is_counted(text: str, expected: str, mended: dict[str, int]) -> None:
    reading = read(text)
    assert (order(reading), kinds(reading)) == (expected, mended)


def test_worst_first_lists_are_turned_round() -> None:
    five = Permutation(reverse=True, form="bare")
    assert order(five.read(Completion("3 1 4 2 5"), 5)) == "52413"
    assert five.read(Completion("3 1 4 2 5"), 5).repairs == ()
    assert order(five.read(Completion("3 1 4"), 5)) == "41325"


def test_a_worst_first_list_that_was_cut_named_only_the_worst() -> None:
    reading = Permutation(reverse=True).read(Completion("[3] > [1] >", finished=False), 5)
    assert order(reading) == "24513"
    assert kinds(reading) == {"truncated_output": 1, "appended_missing": 3}


def test_a_number_at_the_cut_is_not_trusted() -> None:
    reading = read("3, 2, 1", 12, finished=False, form="bare")
    assert kinds(reading) == {"truncated_output": 1, "appended_missing": 10}
    assert order(reading).startswith("321") and reading.scores[0] == 10.0
    assert order(read("3, 2, 1", 12, form="bare")).startswith("3214")


def test_a_complete_list_at_the_length_limit_is_not_a_repair() -> None:
    assert kinds(read("[2] > [1] > [3]", finished=False)) == {}


def test_scores_are_ranks_and_strictly_decreasing() -> None:
    reading = read("[3] > [1]", 4)
    assert reading.scores == (3.0, 2.0, 4.0, 1.0)
    assert Permutation().scale is Scale.RANK and Permutation().comparable == "within"


def test_letters_end_at_twenty_six() -> None:
    assert Permutation("letters").max_group == 26
    assert Permutation().max_group is None
    assert Permutation(("x", "y")).max_group == 2
    reading = Permutation("letters").read(Completion("[Z] > [A]"), 30)
    assert reading.scores[25] == 30.0 and kinds(reading)["appended_missing"] == 28


@pytest.mark.parametrize("wrong", ["number", (), ("a", "A"), ("a", "①", "1"), ("a b", "c"), ("[1]", "[2]"), ("", "x")])
def test_an_alphabet_that_cannot_be_read_back_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError):
        Permutation(wrong)  # type: ignore[arg-type]


ALPHABETS = {
    "numbers": [str(i + 1) for i in range(120)],
    "letters": [chr(ord("A") + i) for i in range(26)],
    "custom": ["red", "green", "blue", "D1", "D10", "甲", "乙", "Ω", "x_7"],
}
STYLE = {"bracketed": ("[{}]", " > "), "named": ("Passage {}", ", "), "bare": ("{}", " > ")}


@settings(deadline=None)
@given(st.sampled_from(sorted(ALPHABETS)), st.sampled_from(sorted(STYLE)), st.booleans(), st.data())
def test_the_canonical_rendering_of_any_order_reads_back_unmended(
    alphabet: str, form: str, reverse: bool, data: st.DataObject
) -> None:
    names = ALPHABETS[alphabet]
    n = data.draw(st.integers(1, len(names)))
    best_first = data.draw(st.permutations(range(n)))
    style, joint = STYLE[form]
    text = joint.join(style.format(names[i]) for i in (best_first[::-1] if reverse else best_first))
    identifiers = tuple(names) if alphabet == "custom" else alphabet
    readout = Permutation(identifiers, reverse=reverse, form=form)  # type: ignore[arg-type]
    reading = readout.read(Completion(text), n)
    assert sorted(range(n), key=lambda i: -reading.scores[i]) == list(best_first)
    assert reading.repairs == () and reading.valid
    assert readout.read(readout.write(reading.scores), n) == reading


@settings(deadline=None)
@given(st.lists(st.integers(-3, 15), max_size=40), st.integers(1, 9))
def test_no_document_is_lost_repeated_or_invented_and_all_mentions_are_accounted_for(listed: list[int], n: int) -> None:
    reading = Permutation().read(Completion(" > ".join(f"[{i}]" for i in listed)), n)
    good = list(dict.fromkeys(i for i in listed if 1 <= i <= n))
    found = kinds(reading)
    assert found.get("dropped_out_of_range", 0) == sum(not 1 <= i <= n for i in listed)
    assert reading.valid == bool(good)
    if good:
        assert sorted(reading.scores) == [float(i + 1) for i in range(n)]
        assert found.get("dropped_repeated", 0) == sum(1 <= i <= n for i in listed) - len(good)
        assert found.get("appended_missing", 0) == n - len(good)
        expected = [*good, *(i for i in range(1, n + 1) if i not in good)]
        assert sorted(range(1, n + 1), key=lambda i: -reading.scores[i - 1]) == expected
