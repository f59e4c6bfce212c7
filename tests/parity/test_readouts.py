"""Our readouts beside the authors' parsers, on generated outputs whose meaning is known.

Two claims: where any of the authors' parsers understands an output, ours does, too; and what each of them makes of the
kinds of output that it does not understand stands in a table. What was recorded, of which commit and how, is in
README.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from shortlist.backends.http.labels import label_logprobs
from shortlist.core.exchange import Completion, Reading
from shortlist.core.types import MISSING
from shortlist.readouts import FirstToken, JsonScores, Permutation, Pick, TaggedAnswer
from shortlist.schedules import RepeatShuffled

Recorded = Callable[[str], Any]
PARSERS = ("RankGPT", "rank_llm", "ReasonRank")


def order(reading: Reading) -> list[int]:
    return sorted(range(len(reading.scores)), key=lambda i: -reading.scores[i])


def read(row: Any, identifiers: Any = "numbers") -> Reading:
    return Permutation(identifiers).read(Completion(row["text"]), row["n"])


def test_orders_are_read_where_any_reference_reads_them(recorded: Recorded) -> None:
    rows = recorded("parsers")["permutations"]
    assert len(rows) == 200
    assert [row["text"] for row in rows if order(read(row)) != row["meant"]] == []


def test_what_the_references_make_of_the_same_orders(recorded: Recorded) -> None:
    """How many of ten outputs of a kind each reads as meant; kinds that all three read always are not listed.

    RankGPT reads digits anywhere; rank_llm digits behind ``</think>``; ReasonRank digits inside ``<answer>`` behind
    ``<think>``, else anywhere. Digits in brackets are what the prompt asked for.
    """
    right: dict[str, Counter[str]] = {}
    for row in recorded("parsers")["permutations"]:
        counts = right.setdefault(row["kind"], Counter())
        counts.update(parser for parser in PARSERS if row[parser] == row["meant"])
    partly = {kind: tuple(counts[p] for p in PARSERS) for kind, counts in right.items()}
    assert {kind: counts for kind, counts in partly.items() if counts != (10, 10, 10)} == {
        "count in front": (4, 4, 4),
        "numbered lines": (0, 0, 0),
        "explained in front": (0, 0, 0),
        "thought": (0, 10, 0),
        "thought and tagged": (0, 10, 10),
        "tagged, no thought": (0, 0, 10),
        "tag left open": (0, 10, 10),
        "thought cut off": (0, 0, 0),
        "circled": (0, 10, 2),
    }


def test_what_was_not_said_is_invalid_here_and_an_order_there(recorded: Recorded) -> None:
    """A thought that was cut off is the numbers in it, to all three; here it is no answer, and can be asked again."""
    for row in recorded("parsers")["permutations"]:
        assert read(row).valid is (row["kind"] not in ("thought cut off", "nothing"))
    errors = {row["RankGPT"] for row in recorded("parsers")["permutations"] if row["kind"] == "circled"}
    assert errors == {"ValueError"}


COMPARED = {  # output -> RankGPT, rank_llm, ReasonRank, ours
    "[2] > [1] > [3]": ("213", "213", "213", "213"),
    "Sure! Here are the top 3: [3] > [1]": ("312", "312", "312", "312"),
    "[1] > [1] > [5]": ("123", "123", "123", "123"),
    "<think>passage [2] is 10x better than 1</think> [3] > [1] > [2]": ("213", "312", "213", "312"),
    "<think>[2] beats [1] (2 of 3": ("213", "213", "213", "invalid"),
    "1. [3]\n2. [2]\n3. [1]": ("132", "132", "132", "321"),  # repeated numbers count where they come first
    "[③] > [①]": ("ValueError", "312", "123", "312"),  # ReasonRank gives up and keeps the order it had
}


def test_the_compared_outputs(recorded: Recorded) -> None:
    found = {}
    for row in recorded("parsers")["corpus"]:
        reading = read(row | {"n": 3})
        theirs = [row[p] if isinstance(row[p], str) else "".join(str(i + 1) for i in row[p]) for p in PARSERS]
        mine = "".join(str(i + 1) for i in order(reading)) if reading.valid else "invalid"
        found[row["text"]] = (*theirs, mine)
    assert found == COMPARED


def test_letters_are_read_where_rank_llm_reads_them(recorded: Recorded) -> None:
    """It turns every letter into its place in the alphabet: words become numbers, "BA" becomes 21, and small letters
    32 more."""
    right: Counter[str] = Counter()
    rows = recorded("parsers")["letters"]
    for row in rows:
        assert order(read(row, "letters")) == row["meant"], row["text"]
        right[row["kind"]] += row["rank_llm"] == row["meant"]
    kinds = Counter(row["kind"] for row in rows)
    assert {kind: right[kind] for kind, of in kinds.items() if right[kind] != of} == {
        "prose in front": 1,
        "I think": 4,
        "lower case": 0,
        "run together": 0,
    }


def picked(reading: Reading) -> list[int]:
    return [i for i, score in enumerate(reading.scores) if score > 0] if reading.valid else []


def test_rank_r1s_answers_are_read_where_the_authors_read_them(recorded: Recorded) -> None:
    """They want the thought, the tag and the bare label; we want the tag, and an identifier inside it. Neither reads
    an answer without a tag, which is no answer. Of two answers they take the first, we the last."""
    strict = TaggedAnswer(Pick(take="last"), on_missing="invalid")
    more: Counter[str] = Counter()
    for row in recorded("parsers")["rank-r1"]:
        mine = picked(strict.read(Completion(row["text"]), row["n"]))
        assert mine == ([] if row["meant"] is None else [row["meant"]]), row["text"]
        if row["kind"] == "two answers":
            assert row["reference"] == 1
        elif row["reference"] is None and mine:
            more[row["kind"]] += 1
        else:
            assert mine == ([] if row["reference"] is None else [row["reference"]])
    assert more == dict.fromkeys(("full stop", "bare number", "words", "no thought", "tag left open"), 6)


def test_tourranks_lists_are_read_where_the_authors_read_them(recorded: Recorded) -> None:
    """They read the last line with "Document" in it up to the first full stop. Of their own example's form,
    ``Document 3, ..., Document 1``, only the first document is left; a word in place of a number becomes another
    document, one that does not exist an IndexError, and one that is named twice counts twice."""
    there: Counter[str] = Counter()
    for row in recorded("parsers")["tourrank"]:
        assert picked(Pick(row["m"]).read(Completion(row["text"]), row["n"])) == row["meant"], row["text"]
        theirs = row["reference"]
        there[row["kind"]] += isinstance(theirs, list) and sorted(theirs) == row["meant"]
    assert {kind for kind, right in there.items() if right == 5} == {
        "as asked", "full stop", "prose in front", "same line",
    }  # fmt: skip
    assert {kind for kind, right in there.items() if right == 0} == {
        "dots", "and", "one a line", "beyond", "word", "repeated",
    }  # fmt: skip


def test_firsts_order_is_that_of_the_letters_logits(recorded: Recorded) -> None:
    """The order that rank_llm's ``_evaluate_logits`` and its parser make of the shown tokens, against that of our
    labels, in all kinds but two, which are below."""
    kinds = set()
    for row in recorded("first"):
        if row["kind"] in ("letters with a blank", "two digits"):
            continue
        readout = FirstToken("letters" if row["letters"] else "numbers")
        shown = [(token, value) for token, value in row["shown"]]
        labels = label_logprobs(shown, readout.labels(row["n"]))
        reading = readout.read(Completion(labels=labels), row["n"])
        assert order(reading) == row["order"], row["kind"]
        unseen = [i for i, score in enumerate(reading.scores) if score == MISSING]
        assert row["order"][len(row["order"]) - len(unseen) :] == unseen  # at the end, in the order they were in
        kinds.add(row["kind"])
    assert len(kinds) == 7


def test_a_letter_with_a_blank_before_it_is_that_letter_here(recorded: Recorded) -> None:
    """rank_llm counts tokens of one character only, so " A" is lost to it; here the likelier of the two spellings
    counts."""
    rows = [row for row in recorded("first") if row["kind"] == "letters with a blank"]
    for row in rows:
        readout = FirstToken()
        both = label_logprobs(row["shown"], readout.labels(row["n"]))
        single = label_logprobs([pair for pair in row["shown"] if len(pair[0]) == 1], readout.labels(row["n"]))
        assert order(readout.read(Completion(labels=single), row["n"])) == row["order"]
        assert order(readout.read(Completion(labels=both), row["n"])) != row["order"]
        assert all(both[letter] == 0.0 for letter in readout.labels(row["n"])[::2])


def test_a_number_of_two_digits_stops_only_rank_llm(recorded: Recorded) -> None:
    """``unicodedata.name`` takes one character; the parser then reads no number in the error and keeps the order."""
    (row,) = [row for row in recorded("first") if row["kind"] == "two digits"]
    assert (row["text"], row["order"]) == ("TypeError", [0, 1, 2])
    labels = label_logprobs(row["shown"], FirstToken("numbers").labels(3))
    assert labels == {"1": -1.0, "2": -2.0}


def test_grouprank_scores_are_read_where_the_authors_read_them(recorded: Recorded) -> None:
    """Equal scores (theirs are divided by 10) wherever theirs are what was written, and what was written elsewhere."""
    there = set()
    for row in recorded("groups")["rows"]:
        scores = JsonScores(fenced=True).read(Completion(row["text"]), row["n"]).scores
        mine = [None if score == MISSING else score for score in scores]
        theirs = [row["reference"].get(str(i)) for i in range(row["n"])]
        if row["kind"] == "cut off":
            whole = next(r for r in recorded("groups")["rows"] if r["kind"] == "as asked" and r["n"] == row["n"])
            said = mine.index(None)
            assert said > 0 and mine == [*whole["meant"][:said], *[None] * (row["n"] - said)]
            assert set(theirs) == {0.0}
            continue
        assert mine == row["meant"], row["kind"]
        if theirs == [None if score is None else pytest.approx(score / 10) for score in row["meant"]]:
            there.add(row["kind"])
    wrong = {row["kind"] for row in recorded("groups")["rows"]} - there
    assert wrong == {
        "beyond", "text numbers", "trailing comma", "single quotes", "nothing", "cut off",  # the whole group: 0
        "zero",  # "[0]" is index -1: the mean of the last document's score and another's
        "above the scale",  # 12 of 10 is 1.2
    }  # fmt: skip


def test_grouprank_means_leave_out_what_was_not_scored(recorded: Recorded) -> None:
    """As the authors' do for documents that an answer leaves out; an answer that cannot be read gives all its
    documents 0 there, and nothing here."""
    golden = recorded("groups")

    def mean_of(texts: Sequence[str]) -> list[float]:
        written = [JsonScores(fenced=True).read(Completion(text), 3).scores for text in texts]
        plan = RepeatShuffled(size=3, times=2).plan(3)
        groups = next(plan).groups
        with pytest.raises(StopIteration) as done:
            plan.send([tuple(scores[i] for i in group) for group, scores in zip(groups, written, strict=True)])
        means: list[float] = list(done.value.value.scores)
        return means

    theirs = golden["mean"]["reference"]
    assert mean_of(golden["mean"]["texts"]) == pytest.approx([10 * theirs[str(i)] for i in range(3)])
    theirs = golden["mean with a failure"]["reference"]
    halved = mean_of(golden["mean with a failure"]["texts"])
    assert halved == pytest.approx([2 * 10 * theirs[str(i)] for i in range(3)])
