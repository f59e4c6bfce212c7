"""What holds for every way of asking a backend: one answer per text, in order, whatever else is in the batch."""

from __future__ import annotations

from collections.abc import Callable

from ..core.errors import ShortlistError
from ..core.protocols import Capability
from ._probe import HARD, TEXTS, NotChecked, Probe, Row, long_text, refuses
from .rerankers import CheckFailed, _require

Way = Callable[[Probe, Capability], None]


def answers_nothing_with_nothing(probe: Probe, way: Capability) -> None:
    """No texts, no answers, and no failure."""
    found = probe.rows(way, [])
    _require(not found, f"nothing was asked, {len(found)} answers came")


def answers_each_once_in_order(probe: Probe, way: Capability) -> None:
    """One answer per text; asked in reverse, the same answers come in reverse."""
    forth, back = probe.rows(way, TEXTS), probe.rows(way, TEXTS[::-1])
    for rows in (forth, back):
        _require(len(rows) == len(TEXTS), f"{len(TEXTS)} were asked, {len(rows)} answers came")
    distinct = any(row.differs(forth[0], probe.within) for row in forth[1:])
    _require(distinct, f"{len(TEXTS)} different texts got one and the same answer")
    _require_same(forth, back[::-1], probe, "the order of the answers is not that of the texts")


def does_not_depend_on_the_batch(probe: Probe, way: Capability) -> None:
    """A text gets the same answer alone, among texts of other lengths (padding), and beside one very long text."""
    together = probe.rows(way, TEXTS)
    alone = [row for text in TEXTS for row in probe.rows(way, [text])]
    _require_same(alone, together, probe, "alone and in a batch")
    beside = probe.rows(way, [TEXTS[0], long_text(120), TEXTS[1]])
    _require_same([alone[0], alone[1]], [beside[0], beside[-1]], probe, "alone and beside a long text")


def answers_equal_texts_equally(probe: Probe, way: Capability) -> None:
    """Texts that occur several times in a batch get an answer each, all the same."""
    asked = [TEXTS[1], TEXTS[2], TEXTS[1], TEXTS[0], TEXTS[1]]
    rows = probe.rows(way, asked)
    _require(len(rows) == len(asked), f"{len(asked)} were asked, {len(rows)} answers came")
    _require_same([rows[0], rows[0]], [rows[2], rows[4]], probe, "equal texts in one batch")


def is_repeatable(probe: Probe, way: Capability) -> None:
    """Asked twice, the same is said twice (with a model that decodes at temperature 0)."""
    _require_same(probe.rows(way, TEXTS), probe.rows(way, TEXTS), probe, "the first time and the second")


def survives_hard_texts(probe: Probe, way: Capability) -> None:
    """Empty texts, control characters, half surrogates, control tokens as text: sound numbers, and no NaN. Only what
    has nothing to read may be refused."""
    taken = []
    for text in HARD:
        try:
            rows = probe.rows(way, [text])
        except NotChecked:
            raise
        except ShortlistError as error:
            blank = not text.strip("\x00 \r\n\t")
            _require(blank and refuses(error), f"{text[:40]!r}: {type(error).__name__}: {error}")
            continue
        _require(len(rows) == 1, f"{text[:40]!r}: {len(rows)} answers")
        _require(rows[0].sound, f"{text[:40]!r}: numbers that are NaN or infinite")
        taken.append((text, rows[0]))
    together = probe.rows(way, [text for text, _ in taken])
    _require_same([row for _, row in taken], together, probe, "hard texts alone and in a batch")


def gives_sound_numbers(probe: Probe, way: Capability) -> None:
    """No NaN, and nothing infinite."""
    rows = probe.rows(way, TEXTS)
    bad = [text[:40] for text, row in zip(TEXTS, rows, strict=False) if not row.sound]
    _require(not bad, f"NaN or infinite numbers for {bad}")


def never_cuts_in_silence(probe: Probe, way: Capability) -> None:
    """A text beyond the window is refused or read to its end, or the cut is counted (``counts["cut"]``)."""
    before, long = probe.cuts(), probe.long()[1]
    try:
        one, other = probe.rows(way, [f"{long} fleas"])[0], probe.rows(way, [f"{long} 9 stones"])[0]
    except ShortlistError as error:
        if refuses(error):
            return
        raise
    heard = one.differs(other, 0.0) or probe.cuts() >= before + 2
    _require(heard, f"the end of a text of {len(long.split())} words was not read, and nothing says so")


def counts_all_of_a_long_prompt(probe: Probe, way: Capability) -> None:
    """A prompt beyond the window is refused, or its repair is on the answer, or all of its tokens are counted."""
    half, whole = probe.long()
    try:
        short, long = (_prompt_tokens(probe, way, text) for text in (half, whole))
    except ShortlistError as error:
        if refuses(error):
            return
        raise
    if long is None or short is None:
        return
    if not long:
        raise NotChecked("the backend counts no prompt tokens, so a cut cannot be seen")
    _require(
        long > 1.7 * short,
        f"a prompt twice as long counts {long} tokens after {short}: it was cut, and nothing says so",
    )


def _prompt_tokens(probe: Probe, way: Capability, text: str) -> int | None:
    """Of the prompt around ``text``; None when the answer records a repair."""
    if way is Capability.NLL:
        (found,) = probe.backend.nll([(probe.labelled(text), " yes")])
        return int(found.usage.prompt_tokens)
    ask = probe.labelled(text) if way is Capability.LABEL_LOGITS else probe.written(text, max_tokens=1)
    (completion,) = probe.generate([ask])
    of_transport = ("request_retried", "waited_for_endpoint")
    return None if any(r.kind not in of_transport for r in completion.repairs) else completion.usage.prompt_tokens


def _require_same(expected: list[Row], got: list[Row], probe: Probe, when: str) -> None:
    _require(len(expected) == len(got), f"{when}: {len(expected)} and {len(got)} answers")
    for number, (a, b) in enumerate(zip(expected, got, strict=True), 1):
        if difference := a.differs(b, probe.within):
            raise CheckFailed(f"{when}: answer {number} of {len(got)}: {difference}")


EVERY: tuple[Way, ...] = (
    answers_nothing_with_nothing,
    answers_each_once_in_order,
    does_not_depend_on_the_batch,
    answers_equal_texts_equally,
    is_repeatable,
    survives_hard_texts,
)
