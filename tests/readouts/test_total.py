"""What holds for every readout: any output in, a full and honest reading out, in time."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.core.exchange import Completion, Reading, Token
from shortlist.core.params import from_toml, to_toml
from shortlist.core.protocols import Capability, Readout
from shortlist.core.types import MISSING, Scale
from shortlist.readouts import (
    ExpectedGrade,
    FirstBeatsSecond,
    FirstToken,
    JsonScores,
    Permutation,
    Pick,
    Rating,
    RawLogit,
    TaggedAnswer,
    Verdict,
    Winner,
    YesNo,
)

READOUTS: dict[str, Readout] = {
    "permutation": Permutation(),
    "permutation-letters": Permutation("letters"),
    "permutation-custom": Permutation(("red", "green", "blue"), tag=""),
    "permutation-worst-first": Permutation(reverse=True, form="bare"),
    "pick": Pick(),
    "pick-letters": Pick(2, "letters", ordered=True, take="last"),
    "verdict": Verdict(),
    "rating": Rating(),
    "rating-weighted": Rating(weight="probability", out_of_range="invalid"),
    "json": JsonScores(),
    "json-letters": JsonScores(identifiers="letters", fenced=True),
    "tagged": TaggedAnswer(Permutation()),
    "tagged-json": TaggedAnswer(JsonScores(), on_missing="invalid"),
    "first-token": FirstToken(),
    "winner": Winner(("1", "2")),
    "yes-no": YesNo(),
    "yes-no-probability": YesNo(output="probability"),
    "raw-logit": RawLogit("A"),
    "first-beats-second": FirstBeatsSecond(),
    "expected-grade": ExpectedGrade(),
}
every_readout = pytest.mark.parametrize("readout", READOUTS.values(), ids=READOUTS)

WORDS = r"""
[1] [2] [3] [0] [-1] [99] [1 2] [[3]] [1,2] [A] [b] [C [] [1-2] 【2】 [red] green [Document_3]
> , = : ; . - / * ` ``` ```json ' " “ { } [ ] ( ) < </ \ \u0031 | # + ~ % & _ @
<think> </think> <THINK> <think <reason> </reason> [THINK] <answer> </answer> <answer <score> </score>
[rankstart] [rankend] <|im_end|> 1 2 10 3.5 -7 1e5 1e999 0x1f 1_000 .5 7/10 70% NaN Infinity null true
PASSAGE3 id "id":2 "score":7 {"[1]":7 "[2]":"3" '[3]':1, {"scores":[ "A":4 A B I a tie red yes
① ②③ Ⅳ ½ ² １ ٢ 三 ﷺ é 🏆 İ ß ſ The relevance score and of is
"""
PIECES = (
    *WORDS.split(),
    *(" > ", ", ", "\n", " ", ": ", "\r\n", "\t", "Document 2", "passage a", "3 out of 5", "9" * 50, "9" * 5000),
    *("e\u0301", "\u0301" * 9, "\u202e", "\u200b", "\ufeff", "\x00", "\x1b", "\u2028", "\x85", "1\u20e3"),
    *("\ud800", "\udfff", "\U0010ffff"),
)
NUMBERS = (-0.5, -20.0, 0.0, 3.0, 1e308, -1e308, math.nan, math.inf, -math.inf, None, "0.5", 10**400, True, [1.0])
KEYS = ("A", "B", "C", "1", "2", "7", "0", "yes", "no", "true", "false", "red", "", "\ud800")


def outputs(count: int, seed: int) -> Iterator[tuple[Completion, int]]:
    """Completions stuck together from what models write and from what nobody should, with a group size."""
    rng = random.Random(seed)
    for _ in range(count):
        kind = rng.random()
        if kind < 0.75:
            text = "".join(rng.choices(PIECES, k=rng.randrange(25)))
        elif kind < 0.9:
            n = rng.randrange(1, 8)
            names = rng.choice((range(1, n + 1), "ABCDEFGH"[:n]))
            grades = ", ".join(f'"[{name}]": {rng.randrange(11)}' for name in names)
            listed = " > ".join(f"[{name}]" for name in rng.sample(names, n))
            good = rng.choice((listed, f"<answer>{{{grades}}}</answer>", f"{{{grades}}}"))
            at = rng.randrange(len(good))
            text = good[:at] + rng.choice(PIECES) + good[at + rng.randrange(3) :]
        else:
            codes = [rng.choice((rng.randrange(128), rng.randrange(0x110000))) for _ in range(rng.randrange(40))]
            text = "".join(map(chr, codes))
        labels = None
        if rng.random() < 0.7:
            labels = {key: rng.choice(NUMBERS) for key in rng.sample(KEYS, rng.randrange(len(KEYS)))}
        finished = rng.random() < 0.8
        said = text if rng.random() < 0.5 else text[rng.randrange(len(text) + 1) :]
        spoken = re.split(r"(?<=[\s>])", said) if rng.random() < 0.7 else []
        tokens = tuple(Token(part, rng.choice((-0.5, -20.0, 0.0, 3.0, math.nan, -math.inf))) for part in spoken)
        completion = Completion(text, labels, finished, tokens=tokens)  # type: ignore[arg-type]
        yield completion, rng.choice((0, 1, 1, 2, 2, 3, 5, 9, 30))


def check(readout: Readout, completion: Completion, n: int) -> Reading:
    reading = readout.read(completion, n)
    assert len(reading.scores) == n
    assert all(type(s) is float and (math.isfinite(s) or s == MISSING) for s in reading.scores)
    assert reading.valid == (n == 0 or any(s != MISSING for s in reading.scores))
    assert all(r.count > 0 and r.kind.islower() and r.kind.isidentifier() for r in reading.repairs)
    assert reading.valid or reading.repairs
    assert n > 0 or reading == Reading(())
    for repair in reading.repairs:
        repair.detail.encode()
    return reading


def test_five_thousand_outputs_through_every_readout() -> None:
    for completion, n in outputs(5_000, seed=1):
        for readout in READOUTS.values():
            check(readout, completion, n)


@pytest.mark.slow
def test_a_hundred_thousand_outputs_through_every_readout() -> None:
    for completion, n in outputs(100_000, seed=2):
        for readout in READOUTS.values():
            check(readout, completion, n)


def test_the_outputs_reach_both_kinds_of_reading() -> None:
    """The generator would be of no use if nearly everything were invalid, or valid."""
    for name, readout in READOUTS.items():
        readings = [check(readout, completion, n) for completion, n in outputs(1_500, seed=3) if n]
        valid = sum(r.valid for r in readings)
        assert 5 <= valid <= len(readings) - 5, name


@every_readout
@settings(deadline=None)
@given(st.text(st.characters(), max_size=200), st.integers(0, 40), st.booleans())
def test_any_text(readout: Readout, text: str, n: int, finished: bool) -> None:
    check(readout, Completion(text, finished=finished), n)


@every_readout
@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), st.floats() | st.integers()), st.integers(0, 40))
def test_any_labels(readout: Readout, labels: dict[str, float], n: int) -> None:
    check(readout, Completion("[1]", labels), n)


@every_readout
def test_a_readout_is_its_parameters(readout: Readout) -> None:
    assert from_toml(to_toml(readout)) == readout
    assert eval(repr(readout)) == readout


@every_readout
def test_properties_agree_with_each_other(readout: Readout) -> None:
    wants_labels = Capability.LABEL_LOGITS in readout.requires
    assert bool(readout.labels(1)) == wants_labels and readout.labels(0) == ()
    absolute = readout.scale in (Scale.LOGIT, Scale.PROBABILITY, Scale.RATING)
    # duoT5's probabilities of winning are of one pair, but sums of them over pairs are what it ranks by
    assert readout.comparable == ("across" if absolute or isinstance(readout, FirstBeatsSecond) else "within")
    assert readout.requires and (readout.max_group is None or readout.max_group > 0)


@every_readout
@settings(deadline=None)
@given(st.data())
def test_what_a_readout_writes_it_reads(readout: Any, data: st.DataObject) -> None:
    """Distinct scores in, the same order out, without repairs; picks and verdicts keep the best."""
    least = 2 if isinstance(readout, (Verdict, FirstBeatsSecond)) else 1
    n = data.draw(st.integers(least, readout.max_group or 40))
    low, high = (1, 99) if readout.scale in (Scale.PROBABILITY, Scale.RATING) else (-300, 300)
    scores = data.draw(st.lists(st.integers(low, high), min_size=n, max_size=n, unique=True))
    unit = {Scale.PROBABILITY: 100, Scale.RATING: 25 if isinstance(readout, ExpectedGrade) else 10}.get(
        readout.scale, 20
    )
    said = [s / unit if not isinstance(readout, Rating) else float(s // 10) for s in scores]
    reading = readout.read(readout.write(said), n)
    assert reading.valid and reading.repairs == ()
    if readout.scale is Scale.POINTS:
        assert reading.scores[said.index(max(said))] == max(reading.scores)
    elif readout.scale is not Scale.RELATIVE and readout.scale is not Scale.RANK and not isinstance(readout, Rating):
        assert reading.scores == pytest.approx(said)
    elif n > 1:
        assert sorted(range(n), key=lambda i: -reading.scores[i]) == sorted(range(n), key=lambda i: -said[i])


MEGABYTE = {
    "brackets": "[",
    "closing": "]",
    "thinking": "<think>",
    "thinking closed": "<think></think>",
    "answers": "<answer>",
    "answers closed": "<answer></answer>",
    "half tags": "<",
    "a list": "[1] > ",
    "letters": "[A] > ",
    "numbers": "1 ",
    "digits": "9",
    "fullwidth": "１",
    "circled": "①",
    "marks": "a\u0301\u0327",
    "named": "Document 1, ",
    "names": "id ",
    "bare letters": "A > ",
    "numbering": "1. 2\n",
    "pairs": '"[1]": 7, ',
    "half pairs": '"1":',
    "objects": "{}",
    "open objects": '{"a":',
    "braces": "{",
    "quotes": '"',
    "single quotes": "'",
    "commas": ", ",
    "fences": "```",
    "fenced": "```json\n{",
    "scores": "score: ",
    "score words": "score",
    "fractions": "1/",
    "points": "1.",
    "minus": "-",
    "blanks": " ",
    "lines": "\n",
    "surrogates": "\ud800",
    "nul": "\x00",
    "right to left": "\u202e[1]",
    "tag blanks": "< ",
    "open bracket list": "[1,",
}


MEGABYTE_READERS = ("permutation", "permutation-letters", "pick-letters", "verdict", "rating", "json", "tagged")


def repeated(piece: str, size: int) -> str:
    return (piece * (size // len(piece) + 1))[:size]


@pytest.mark.parametrize("around", ["", '{" "}'])
@pytest.mark.parametrize("piece", MEGABYTE.values(), ids=MEGABYTE)
def test_a_hundred_kilobytes_of_one_piece_are_read(piece: str, around: str) -> None:
    """A pattern whose cost grows faster than the text would hang here; benchmarks/readouts.py has the seconds."""
    before, _, after = around.partition(" ")
    completion = Completion(before + repeated(piece, 100_000) + after)
    for name in MEGABYTE_READERS:
        readout = READOUTS[name]
        reading = readout.read(completion, min(20, readout.max_group or 20))
        assert reading.valid or reading.repairs
