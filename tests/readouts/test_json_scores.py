"""Group scores as JSON: what is mended has a name, what was not said is MISSING."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.core.exchange import Completion, Reading
from shortlist.core.types import MISSING
from shortlist.readouts import JsonScores
from shortlist.readouts.json_text import Object, parse

NO = MISSING
CUT = {"recovered_pairs", "truncated_json", "missing_key"}


def kinds(reading: Reading) -> dict[str, int]:
    return {repair.kind: repair.count for repair in reading.repairs}


CLEAN = [
    '{"[1]": 7, "[2]": 3, "[3]": 0}',
    '{"1": 7, "2": 3, "3": 0}',
    '{"Document 1": 7, "passage 2": 3.0, "[Doc 3]": 0}',
    '<answer>{"[1]": 7, "[2]": 3, "[3]": 0}</answer>',
    '<reason>{"[1]": 1}</reason><answer>{"[1]": 7, "[2]": 3, "[3]": 0}</answer>',
    '{"scores": {"[1]": 7, "[2]": 3, "[3]": 0}}',
    '{"[1]": {"score": 7, "why": "x"}, "[2]": {"score": 3}, "[3]": {"score": 0}}',
    '[{"id": 1, "score": 7}, {"id": 2, "score": 3}, {"id": 3, "score": 0}]',
    '{"results": [{"id": "[1]", "relevance": 7}, {"id": "[2]", "relevance": 3}, {"id": "[3]", "relevance": 0}]}',
    '[{"[1]": 7}, {"[2]": 3}, {"[3]": 0}]',
    "[7, 3, 0]",
    '{"scores": [7, 3, 0]}',
]


@pytest.mark.parametrize("text", CLEAN)
def test_shapes_that_need_no_repair(text: str) -> None:
    assert JsonScores().read(Completion(text), 3) == Reading((7.0, 3.0, 0.0))


MENDED = [
    ('```json\n{"[1]": 7, "[2]": 3, "[3]": 0}\n```', (7, 3, 0), {"stripped_fence"}),
    ('```\n{"[1]": 7, "[2]": 3, "[3]": 0}', (7, 3, 0), {"stripped_fence"}),
    ('The scores: {"[1]": 7, "[2]": 3, "[3]": 0}. Done [1].', (7, 3, 0), {"stripped_prose"}),
    ("{'[1]': 7, '[2]': 3, '[3]': 0}", (7, 3, 0), {"single_quotes"}),
    ('{"[1]": 7, "[2]": 3, "[3]": 0,}', (7, 3, 0), {"trailing_comma"}),
    ("{'[1]': 7, '[2]': 3, '[3]': 0, }", (7, 3, 0), {"single_quotes", "trailing_comma"}),
    ("{[1]: 7, [2]: 3, [3]: 0}", (7, 3, 0), {"recovered_pairs"}),
    ("[1]: 7\n[2]: 3\n[3]: 0", (7, 3, 0), {"recovered_pairs"}),
    ('{"[1]": 7, "[2]]": 3, "[3]": 0}', (7, 3, 0), set()),
    ('{"[1]": 7 "[2]": 3, "[3]": 0}', (7, 3, 0), {"recovered_pairs"}),
    ('{"[1]": "7", "[2]": "3/10", "[3]": "0 out of 10"}', (7, 3, 0), {"string_number"}),
    ('{"[1]": 7, "[2]": NaN, "[3]": Infinity}', (7, NO, NO), {"dropped_not_a_number", "missing_key"}),
    ('{"[1]": 7, "[2]": null, "[3]": true}', (7, NO, NO), {"dropped_not_a_number", "missing_key"}),
    ('{"[1]": 7, "[2]": "high", "[3]": [1, 2]}', (7, NO, NO), {"dropped_not_a_number", "missing_key"}),
    (
        '{"[1]": 70, "[2]": -3, "[3]": 1e400}',
        (10, 0, NO),
        {"clipped_out_of_range", "dropped_not_a_number", "missing_key"},
    ),
    ('{"[1]": 7, "[2]": 3, "[3]": 0, "[4]": 9, "[0]": 9}', (7, 3, 0), {"dropped_out_of_range"}),
    ('{"[1]": 7, "[2]": 3, "[3]": 0, "note": "x"}', (7, 3, 0), {"dropped_unknown_key"}),
    ('{"[1]": 1, "[1]": 7, "[2]": 3, "[3]": 0}', (7, 3, 0), {"dropped_repeated"}),
    ('{"[1]": 7}', (7, NO, NO), {"missing_key"}),
    ('{"[1]": 7, "[2]": 3, "[3]": 1', (7, 3, NO), CUT),
    ('<answer>{"[1]": 7, "[2]": 3, "[3]": 1</answer>', (7, 3, 1), CUT - {"missing_key"}),
    ('```json\n{"[1]": 7, "[2]": 3, "[3]": 1\n```', (7, 3, 1), CUT - {"missing_key"} | {"stripped_fence"}),
    ('```json\n{"[1]": 7, "[2]": 3, "[3]": 1', (7, 3, NO), CUT | {"stripped_fence"}),
    ('{"[1]": 7, "[2]": 3, "[3', (7, 3, NO), CUT),
    ('{"[1]": 7, "[2]": 3, "[3]": ', (7, 3, NO), CUT),
    ('{"[1]": {"score": 7}, "[2]": {"sco', (7, NO, NO), CUT),
    (
        '[{"id": 1, "score": 7}, {"id": 2, "sc',
        (7, NO, NO),
        CUT,
    ),
    ("[7, 3, 1", (7, 3, NO), {"truncated_json", "missing_key"}),
    ('{"[１]": ７, "[２]": ３, "[３]": ０}', (7, 3, 0), set()),
    ("{“[1]”: 7, “[2]”: 3, “[3]”: 0}", (7, 3, 0), set()),
    ("Scores of [1], [2] and [3]: [7, 3, 0]", (7, 3, 0), {"stripped_prose"}),
    (
        'First {"[1]": 1}, on reflection {"[1]": 7, "[2]": 3, "[3]": 0}',
        (7, 3, 0),
        {"recovered_pairs", "dropped_repeated"},
    ),
    ('Here: [{"id": 1, "score": 7}, {"id": 2', (7, NO, NO), CUT),
]


@pytest.mark.parametrize(("text", "scores", "mended"), MENDED)
def test_each_repair_has_a_name(text: str, scores: tuple[float, ...], mended: set[str]) -> None:
    reading = JsonScores().read(Completion(text), 3)
    assert (reading.scores, set(kinds(reading)), reading.valid) == (scores, mended, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "{}",
        "[]",
        "null",
        "7",
        '{"a": 1}',
        "[1, 2]",
        "[1, 2, 3, 4]",
        "as for [1]",
        "{" * 5000,
        "[" * 100_000,
        '{"[1]": 7}</think>',
    ],
)
def test_no_scores(text: str) -> None:
    reading = JsonScores().read(Completion(text), 3)
    assert reading.scores == (NO, NO, NO) and not reading.valid and "no_scores" in kinds(reading)


def test_a_fence_that_was_asked_for_is_no_repair() -> None:
    assert JsonScores(fenced=True).read(Completion('```json\n{"[1]": 7}\n```'), 1) == Reading((7.0,))


def test_a_cut_number_is_not_trusted_even_in_plain_lines() -> None:
    reading = JsonScores().read(Completion("[1]: 7\n[2]: 1", finished=False), 2)
    assert reading.scores == (7.0, NO) and "truncated_output" in kinds(reading)


def test_letters_are_keys_too() -> None:
    readout = JsonScores(identifiers="letters")
    assert readout.read(Completion('{"A": 7, "b": 3}'), 2).scores == (7.0, 3.0)
    assert readout.max_group == 26


@settings(deadline=None)
@given(st.lists(st.one_of(st.just(MISSING), st.floats(0, 10)), min_size=1, max_size=30), st.booleans())
def test_what_is_written_reads_back(scores: list[float], fenced: bool) -> None:
    readout = JsonScores(fenced=fenced)
    reading = readout.read(readout.write(scores), len(scores))
    assert reading.scores == tuple(scores)
    assert set(kinds(reading)) <= {"missing_key", "no_scores"}


@settings(deadline=None)
@given(st.lists(st.integers(0, 10), min_size=1, max_size=20), st.data())
def test_a_truncated_object_never_gives_a_wrong_score(scores: list[int], data: st.DataObject) -> None:
    text = JsonScores().write([float(s) for s in scores]).text
    cut = data.draw(st.integers(0, len(text) - 1))
    reading = JsonScores().read(Completion(text[:cut], finished=False), len(scores))
    assert all(got in (MISSING, said) for got, said in zip(reading.scores, scores, strict=True))
    whole = text[:cut].count(",")
    assert sum(s != MISSING for s in reading.scores) >= whole


def test_parse_keeps_repeated_keys() -> None:
    value = parse('{"a": 1, "a": 2}').value
    assert isinstance(value, Object) and value.items == (("a", 1.0), ("a", 2.0))
