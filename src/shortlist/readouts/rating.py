"""A grade that a model wrote for one document: ``<answer>7</answer>``, ``Relevance: 3/5``, ``7 out of 10``.

Sources: relevance generation (arXiv 2310.14122), ERank (arXiv 2509.00520: grade times its probability).
It does not know what the grades mean; words instead of numbers ("highly relevant") are not read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..core.errors import ConfigError
from ..core.exchange import Completion, Reading, Token
from ..core.protocols import Capability, Comparable
from ..core.types import Repair, Scale
from .results import finite, invalid
from .spelled import normalised, probability
from .text import NUMBER, after_thinking, answer_of, excerpt, last_match, tag_span, to_float

_GRADE = (
    rf"(?P<value>{NUMBER})(?![\w%]|\.\d|\s?[-–~]\s?\d)"  # not 10x, 70%, v1.2.3 or the range 0-10
    r"(?:\s?(?:/|out of)\s?(?P<of>\d{1,9}))?"
)
_LABELLED = re.compile(
    rf"(?:relevance|relevant|relevancy|score|rating|grade)[^\w\n.+-]{{0,12}}(?:is|of|:)?[^\w\n.+-]{{0,6}}{_GRADE}",
    re.IGNORECASE,
)
_ALONE = re.compile(rf"[^\w.+-]*+{_GRADE}")
_ANYWHERE = re.compile(rf"(?<![\w.]){_GRADE}")


@dataclass(frozen=True)
class Rating:
    """Scores a document by the number between ``low`` and ``high`` that the answer gives.

    tags: where the answer stands if such a tag occurs, looked for one inside the other. out_of_range: ``clip`` to the
    nearest end (repair ``clipped_out_of_range``) or ``invalid``. weight: ``probability`` multiplies by the probability
    of the tokens that spell the number (ERank; breaks ties), which needs TOKEN_LOGPROBS; where the backend did not
    return them, or they say something else than the text, the number stays as it is (``unweighted``).

    Read, first that applies: the last number behind "relevance", "score", "rating" or "grade"; the number with which
    the answer begins; the last number (``used_fallback``). Ranges (``0-10``) and percentages are no grades. ``3/5`` on
    a scale that does not end in 5 is scaled (``rescaled``). A number at the end of a cut answer that could go on (1 of
    10) is left out (``dropped_cut_number``). None is ``no_number``.

    >>> from shortlist.core.exchange import Completion
    >>> Rating().read(Completion("<think>8?</think><answer>7</answer>"), 1).scores
    (7.0,)
    """

    low: float = 0.0
    high: float = 10.0
    tags: tuple[str, ...] = ("answer", "score", "rating")
    out_of_range: Literal["clip", "invalid"] = "clip"
    weight: Literal["none", "probability"] = "none"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ConfigError(f"low={self.low}, high={self.high}; expected finite numbers, low below high")
        if self.out_of_range not in ("clip", "invalid") or self.weight not in ("none", "probability"):
            raise ConfigError(
                f"out_of_range={self.out_of_range!r}, weight={self.weight!r}; expected 'clip' or 'invalid', "
                "'none' or 'probability'"
            )
        if self.weight == "probability" and self.low < 0:
            raise ConfigError(f"low={self.low}; a grade below 0 would rise as it gets less probable, so weight='none'")

    @property
    def requires(self) -> frozenset[Capability]:
        weighted = {Capability.TOKEN_LOGPROBS} if self.weight == "probability" else set()
        return frozenset({Capability.GENERATE, *weighted})

    @property
    def comparable(self) -> Comparable:
        return "across"

    @property
    def max_group(self) -> int | None:
        return 1

    @property
    def scale(self) -> Scale:
        return Scale.RATING

    def labels(self, n: int) -> tuple[str, ...]:
        return ()

    def read(self, completion: Completion, n: int) -> Reading:
        if n == 0:
            return Reading(())
        if n > 1:
            return invalid(n, "group_too_large", detail=f"{n} documents, one grade")
        cut = () if completion.finished else (Repair("truncated_output"),)
        answer = answer_of(completion, "")
        if answer.problem:
            return invalid(n, answer.problem, cut)
        text, repairs = self._inside(answer.text)
        match, loose = _grade_in(text)
        if match is not None and not completion.finished and self._could_go_on(match, text):
            return invalid(n, "dropped_cut_number", (*repairs, *cut), match["value"][:20])
        if match is None:
            return invalid(n, "no_number", (*repairs, *cut), excerpt(text))
        repairs += (Repair("used_fallback"),) if loose else ()
        value, changed = self._on_scale(match)
        if not self.low <= value <= self.high:
            if self.out_of_range == "invalid":
                return invalid(n, "out_of_range", repairs, match["value"][:20])
            value = max(self.low, min(self.high, value))
            changed += (Repair("clipped_out_of_range", detail=match["value"][:20]),)
        if self.weight == "probability":
            value, more = self._weighted(value, match["value"], completion.tokens)
            changed += more
        return Reading((value,), repairs + changed)

    def write(self, scores: Sequence[float]) -> Completion:
        """What a model that holds the score (one of them) would answer."""
        if not len(scores) or finite(scores[0]) is None:
            return Completion("")
        value = max(self.low, min(self.high, scores[0]))
        text = str(int(value)) if value == int(value) else repr(float(value))
        tag = self.tags[0] if self.tags else ""
        parts = (f"<{tag}>", text, f"</{tag}>") if tag else (text,)
        tokens = () if self.weight == "none" else tuple(Token(part, 0.0) for part in parts)
        return Completion("".join(parts), tokens=tokens)

    def _inside(self, text: str) -> tuple[str, tuple[Repair, ...]]:
        start, end, unclosed = self._span(text)
        return text[start:end], tuple(Repair("unclosed_tag", detail=f"<{tag}>") for tag in unclosed)

    def _span(self, text: str) -> tuple[int, int, tuple[str, ...]]:
        """Where the innermost of the tags that occur stands, and which of them are not closed."""
        start, end = 0, len(text)
        unclosed: tuple[str, ...] = ()
        for tag in self.tags:
            span = tag_span(text[start:end], tag)
            if span is not None:
                unclosed += () if span[2] else (tag,)
                start, end = start + span[0], start + span[1]
        return start, end, unclosed

    def _could_go_on(self, match: re.Match[str], text: str) -> bool:
        value = to_float(match["value"])
        longest = max(abs(self.low), abs(self.high))
        return match.end() == len(text) and match["of"] is None and 0 < abs(value) * 10 <= longest

    def _on_scale(self, match: re.Match[str]) -> tuple[float, tuple[Repair, ...]]:
        value, of = to_float(match["value"]), int(match["of"] or 0)
        if not of or of == self.high or not 0 <= value <= of:
            return value, ()
        return value * self.high / of, (Repair("rescaled", detail=excerpt(f"{match['value']}/{of}", 20)),)

    def _weighted(self, value: float, digits: str, tokens: Sequence[Token]) -> tuple[float, tuple[Repair, ...]]:
        share = self._probability(digits, tokens)
        if share is None:
            return value, (Repair("unweighted", detail=f"no probability of {digits[:20]}"),)
        return value * share, ()

    def _probability(self, digits: str, tokens: Sequence[Token]) -> float | None:
        """Of the tokens that spell the grade; they are read as the text was, because they may lack its prefill."""
        said, places = normalised("".join(token.text for token in tokens))
        answer = after_thinking(said)
        if answer is None:
            return None
        start, end, _ = self._span(answer)
        match, _ = _grade_in(answer[start:end])
        if match is None or match["value"] != digits:
            return None
        first = len(said) - len(answer) + start + match.start("value")
        return probability(tokens, places[first], places[first + len(digits) - 1] + 1)


def _grade_in(text: str) -> tuple[re.Match[str] | None, bool]:
    """The match of the grade, and whether it had to be guessed."""
    sure = last_match(_LABELLED, text) or _ALONE.match(text)
    if sure is not None:
        return sure, False
    guess = last_match(_ANYWHERE, text)
    return guess, guess is not None
