"""One score per document, written as JSON: ``{"[1]": 7, "[2]": 3}``, a list of numbers or a list of objects.

Source: GroupRank (arXiv 2511.11653). Its own reader gives a group zeros when the JSON is bad and lets documents vanish;
here what was said is kept and what was not is MISSING. It does not know what the scores mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..core.errors import ConfigError
from ..core.exchange import Completion, Reading
from ..core.protocols import Capability, Comparable
from ..core.types import MISSING, Repair, Scale
from . import identifiers as ids
from .json_text import Object, Parsed, parse
from .mentions import named_in
from .results import finite, invalid, repairs_of
from .text import answer_of, excerpt, read_number

_ID_KEYS = ("id", "identifier", "index", "document", "doc", "passage", "doc_id", "document_id", "passage_id", "label")
_SCORE_KEYS = ("score", "relevance_score", "relevance", "rating", "grade", "value")


@dataclass(frozen=True)
class JsonScores:
    """Reads scores between ``low`` and ``high`` by identifier.

    identifiers: the keys, with or without brackets and "Document". tag: as in Permutation. fenced: the prompt asks
    for a fenced block, so that one is no repair. Shapes: an object of numbers (or of objects with "score"), a list of
    objects with "id" and "score", any of these as the only container inside an object, or one number per document.

    What is mended, by name: ``stripped_fence``, ``stripped_prose`` (text around the JSON), ``single_quotes``,
    ``trailing_comma``, ``recovered_pairs`` (not JSON, but key-value pairs can be read off; for a text that breaks off
    also ``truncated_json``, and the last number is kept only when something follows it, be it the end of the fence or
    of the tag), ``string_number``,
    ``clipped_out_of_range``, ``dropped_not_a_number`` (NaN, Infinity, null, true, words),
    ``dropped_out_of_range``, ``dropped_repeated`` (the last value counts, as in JSON), ``dropped_unknown_key``,
    ``missing_key`` (documents without a score: MISSING), ``dropped_wrong_length`` (a list not of one per document).
    Without any score: ``no_scores``, not valid.

    >>> from shortlist.core.exchange import Completion
    >>> JsonScores().read(Completion('{"[1]": 7, "[3]": "4"}'), 3).scores
    (7.0, -inf, 4.0)
    """

    low: float = 0.0
    high: float = 10.0
    identifiers: ids.Identifiers = "numbers"
    tag: str = "answer"
    fenced: bool = False

    def __post_init__(self) -> None:
        ids.check(self.identifiers)
        if finite(self.low) is None or finite(self.high) is None or self.low >= self.high:
            raise ConfigError(f"low={self.low}, high={self.high}; expected finite numbers, low below high")

    @property
    def requires(self) -> frozenset[Capability]:
        return frozenset({Capability.GENERATE})

    @property
    def comparable(self) -> Comparable:
        return "across"

    @property
    def max_group(self) -> int | None:
        return ids.limit(self.identifiers)

    @property
    def scale(self) -> Scale:
        return Scale.RATING

    def labels(self, n: int) -> tuple[str, ...]:
        return ()

    def read(self, completion: Completion, n: int) -> Reading:
        if n == 0:
            return Reading(())
        answer = answer_of(completion, self.tag)
        if answer.problem:
            return invalid(n, answer.problem)
        parsed = parse(answer.text, finished=completion.finished, closed=answer.closed)
        sheet = _Sheet(self, n)
        sheet.fill(parsed)
        missing = n - len(sheet.scores)
        counts = Counter({kind: 1 for kind in parsed.repairs if not (kind == "stripped_fence" and self.fenced)})
        counts.update(sheet.counts)
        cut = () if completion.finished or not missing else (Repair("truncated_output"),)
        noted = (*answer.repairs, *cut, *repairs_of(counts))
        if not sheet.scores:
            return invalid(n, "no_scores", noted, excerpt(answer.text))
        scores = tuple(sheet.scores.get(i, MISSING) for i in range(n))
        return Reading(scores, (*noted, *repairs_of({"missing_key": missing})))

    def write(self, scores: Sequence[float]) -> Completion:
        """What a model that holds ``scores`` would answer; documents without a score are left out.

        >>> JsonScores().write([7.0, 2.5]).text
        '{"[1]": 7, "[2]": 2.5}'
        """
        names = ids.labels(self.identifiers, len(scores))
        pairs = [(name, finite(score)) for name, score in zip(names, scores, strict=False)]
        body = ", ".join(f'"[{k}]": {int(v) if v == int(v) else v!r}' for k, v in pairs if v is not None)
        return Completion(f"```json\n{{{body}}}\n```" if self.fenced else f"{{{body}}}")


@dataclass
class _Sheet:
    """The scores found so far, and what was wrong on the way. Lives for one reading."""

    of: JsonScores
    n: int
    scores: dict[int, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def fill(self, parsed: Parsed) -> None:
        value = self._unwrap(parsed.value)
        if isinstance(value, Object):
            for key, score in [_entry(value)] if _is_entry(value) else value.items:
                self._put(key, score)
        elif isinstance(value, list) and value and all(_is_entry(v) for v in value):
            for key, score in map(_entry, value):
                self._put(key, score)
        elif isinstance(value, list) and value and all(isinstance(v, Object) and len(v.items) == 1 for v in value):
            for key, score in [pair for v in value for pair in v.items]:
                self._put(key, score)
        elif isinstance(value, list):
            self._in_order(value, parsed.open_end)

    def _unwrap(self, value: object) -> object:
        """The container inside objects that hold just one and name no document themselves: {"scores": {...}}."""
        while isinstance(value, Object):
            inner = [v for _, v in value.items if isinstance(v, (Object, list))]
            if len(inner) != 1 or any(self._position(key) is not None for key, _ in value.items):
                return value
            value = inner[0]
        return value

    def _in_order(self, values: list[object], open_end: bool) -> None:
        """One score per document, in presentation order; a list that breaks off tells about the first ones."""
        if len(values) != self.n and not (open_end and len(values) < self.n):
            self.counts["dropped_wrong_length"] += int(bool(values))
            return
        for position, value in enumerate(values):
            self._set(position, value)

    def _position(self, key: object) -> int | None:
        if isinstance(key, float) and key == int(key if finite(key) is not None else 0):
            key = str(int(key))
        named = named_in(self.of.identifiers, str(key).strip().strip("[]"))
        return named[0] if named is not None and len(named) == 1 else None

    def _put(self, key: object, value: object) -> None:
        position = self._position(key)
        if position is None:
            self.counts["dropped_unknown_key"] += 1
        elif not 0 <= position < self.n:
            self.counts["dropped_out_of_range"] += 1
        else:
            self._set(position, value)

    def _set(self, position: int, value: object) -> None:
        value = value.first(_SCORE_KEYS) if isinstance(value, Object) else value
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(value, str) and (read := read_number(value)) is not None:
            value = read[0] * self.of.high / read[1] if read[1] and read[1] != self.of.high else read[0]
            self.counts["string_number"] += 1
        number = None if isinstance(value, bool) else finite(value)
        if number is None:
            self.counts["dropped_not_a_number"] += 1
            return
        kept = max(self.of.low, min(self.of.high, number))
        self.counts["clipped_out_of_range"] += int(kept != number)
        self.counts["dropped_repeated"] += int(position in self.scores)
        self.scores[position] = kept


def _is_entry(value: object) -> bool:
    """Whether this is one document's record, with an identifier and a score."""
    return isinstance(value, Object) and value.first(_ID_KEYS) is not None and value.first(_SCORE_KEYS) is not None


def _entry(value: Object) -> tuple[object, object]:
    return value.first(_ID_KEYS), value.first(_SCORE_KEYS)
