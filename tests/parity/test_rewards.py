"""Our rewards beside the authors' functions, text by text. What was recorded, of which commit and how: README.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from shortlist.rewards import Record, Rollout, mm_r5, rank_r1, reasonrank
from shortlist.rewards._parts import average_overlap

Recorded = Callable[[str], Any]


def record_of(row: Any) -> Record:
    return Record(tuple(f"d{i}" for i in range(row["n"])), dict.fromkeys(row["relevant"], 1), tuple(row["order"]))


def test_reasonrank_to_the_letter(recorded: Recorded) -> None:
    rows = recorded("rewards")["reasonrank"]
    assert len(rows) == 116
    for row in rows:
        (reward,) = reasonrank([Rollout(row["text"])], record_of(row), strict=True)
        assert reward.total == pytest.approx(row["score"], abs=1e-12), row["kind"]


GAMED = {"one beyond", "zero", "teacher, last beyond", "teacher, first zero", "both 1 and 01"}


def test_reasonrank_by_default_pays_for_the_identifiers_only(recorded: Recorded) -> None:
    """The same reward but for five kinds of answer that are no permutation and that the authors' code pays for."""
    for row in recorded("rewards")["reasonrank"]:
        (reward,) = reasonrank([Rollout(row["text"])], record_of(row))
        if row["kind"] in GAMED:
            assert row["score"] > 0 == reward.total and reward.gate == "not_a_permutation"
        elif row["kind"] in ("leading zero", "wide"):  # to their overlap, "01" and "１" are not "1"
            assert reward.total > row["score"] > 0
        else:
            assert reward.total == pytest.approx(row["score"], abs=1e-12), row["kind"]


def test_reasonranks_known_values(recorded: Recorded) -> None:
    """Five documents, teacher's order 1 to 5, the first and third relevant."""
    rows = {row["kind"]: row["score"] for row in reversed(recorded("rewards")["reasonrank"][:29])}
    assert recorded("rewards")["reasonrank"][0]["relevant"] == ["d0", "d2"]
    assert rows["teacher"] == pytest.approx(1.21972, abs=1e-5)
    assert rows["reversed"] == pytest.approx(0.78544, abs=1e-5)
    assert rows["teacher, last beyond"] == pytest.approx(1.21572, abs=1e-5)
    assert rows["teacher, first zero"] == pytest.approx(0.54119, abs=1e-5)
    assert {rows[kind] for kind in ("repeated", "one more", "one less", "explained", "circled")} == {0}
    assert {rows[kind] for kind in ("no tags", "no thought", "answer left open", "text between")} == {-1}


def test_rank_r1_is_the_authors(recorded: Recorded) -> None:
    """Both versions of the training script; they have no reward for form alone, and nothing to mend."""
    rows = recorded("rewards")["rank_r1"]
    for row in rows:
        documents = tuple(f"d{i}" for i in range(row["n"]))
        (reward,) = rank_r1([Rollout(row["text"])], Record(documents, {documents[row["best"]]: 1}))
        assert reward.total == row["score"], row["kind"]
    assert {row["kind"] for row in rows if row["score"]} == {"right", "blanks", "trailing", "long"}


def mm_r5_record(row: Any) -> Record:
    return Record(tuple(f"d{i + 1}" for i in range(row["n"])), {f"d{number}": 1 for number in row["relevant"]})


def test_mm_r5_to_the_letter(recorded: Recorded) -> None:
    rows = recorded("rewards")["mm_r5"]
    assert len(rows) == 120
    for row in rows:
        (reward,) = mm_r5([Rollout(row["text"])], mm_r5_record(row), strict=True)
        assert reward.terms == pytest.approx({"rank": row["rank"], "form": row["form"]}, abs=1e-12), row["text"]
    assert {(row["rank"], row["form"]) for row in rows if row["kind"] == "known"} == {
        (0.125, 1.0),
        (28 / 27 / 1.125, 1),
    }


LESS = {"repeated", "negative", "plus", "wide"}
MORE = {"one repeated", "thrice as many", "line break in the list", "line break at the end", "leading zero",
        "blanks around", "blanks inside", "trailing comma"}  # fmt: skip


def test_mm_r5_by_default_takes_lists_as_they_are_meant(recorded: Recorded) -> None:
    """The same but for numbers written twice, lists of one number, and spellings that Python's ``eval`` refuses."""
    for row in recorded("rewards")["mm_r5"]:
        (reward,) = mm_r5([Rollout(row["text"])], mm_r5_record(row))
        theirs = row["rank"] + row["form"]
        single = len(re.findall(r"\d+", row["text"].rpartition("<answer>")[2])) == 1
        if row["kind"] in LESS:
            assert reward.total <= theirs or single, row["text"]
        elif row["kind"] in MORE or single:
            assert reward.total >= theirs, row["text"]
        else:
            assert reward.total == pytest.approx(theirs, abs=1e-12), row["text"]


def test_overlap_is_the_rbo_packages_default(recorded: Recorded) -> None:
    for first, second, value in recorded("rewards")["overlap"]:
        assert average_overlap(first, second) == pytest.approx(value, abs=1e-12)
