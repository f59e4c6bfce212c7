"""Log-probabilities of the documents' labels at one position, read as an order or as shares.

Sources: FIRST (arXiv 2406.15657, section 3: logits of the letters behind ``[``), Setwise and PRP in their likelihood
form (arXiv 2310.09497, 2306.17563). Values may be logits or log-probabilities: both give the same order and shares.
It does not know tokens: the backend maps a label to its token, and leaves out labels that it could not see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..core.exchange import Completion, Reading
from ..core.protocols import Capability, Comparable
from ..core.types import MISSING, Repair, Scale, Scores
from . import identifiers as ids
from .results import finite, softmax


def returned(values: Mapping[str, float] | None, wanted: Sequence[str]) -> list[float | None]:
    """The value of each wanted label; None where it is absent or not finite (a top-k list that did not hold it)."""
    given = values or {}
    return [finite(given.get(label)) for label in wanted]


def not_returned(values: Sequence[float | None]) -> tuple[Repair, ...]:
    """The repair ``label_not_returned`` with the coverage, when a label is absent."""
    absent = sum(v is None for v in values)
    detail = f"{len(values) - absent} of {len(values)} labels returned"
    return (Repair("label_not_returned", absent, detail),) if absent else ()


@dataclass(frozen=True)
class FirstToken:
    """Scores each document by the log-probability of its label as the next token (FIRST, listwise likelihood).

    A label that was not returned leaves its document MISSING, below all others, with ``label_not_returned`` and the
    coverage. Values mean something only inside one group.

    >>> from shortlist.core.exchange import Completion
    >>> FirstToken().read(Completion(labels={"A": -2.0, "B": -0.5}), 2).scores
    (-2.0, -0.5)
    """

    identifiers: ids.Identifiers = "letters"

    def __post_init__(self) -> None:
        ids.check(self.identifiers)

    @property
    def requires(self) -> frozenset[Capability]:
        return frozenset({Capability.LABEL_LOGITS})

    @property
    def comparable(self) -> Comparable:
        return "within"

    @property
    def max_group(self) -> int | None:
        # two-digit numbers are not one token each, so their first tokens collide
        return 9 if self.identifiers == "numbers" else ids.limit(self.identifiers)

    @property
    def scale(self) -> Scale:
        return Scale.RELATIVE

    def labels(self, n: int) -> tuple[str, ...]:
        return ids.labels(self.identifiers, min(n, self.max_group or n))

    def read(self, completion: Completion, n: int) -> Reading:
        if n == 0:
            return Reading(())
        values = _values(completion, self.labels(n), n)
        scores = tuple(MISSING if v is None else v for v in values)
        return Reading(scores, not_returned(values), valid=any(v is not None for v in values))

    def write(self, scores: Sequence[float]) -> Completion:
        """What a model that holds ``scores`` would return."""
        return _completion(self.labels(len(scores)), scores)


@dataclass(frozen=True)
class Winner:
    """Shares of "this one is the best", by a softmax over the labels of the group (Setwise and PRP, likelihood form).

    The shares of the labels that were returned add up to 1; the others are MISSING, with ``label_not_returned``.

    >>> from shortlist.core.exchange import Completion
    >>> Winner().read(Completion(labels={"A": 0.0, "B": 0.0}), 2).scores
    (0.5, 0.5)
    """

    identifiers: ids.Identifiers = "letters"

    def __post_init__(self) -> None:
        ids.check(self.identifiers)

    @property
    def requires(self) -> frozenset[Capability]:
        return frozenset({Capability.LABEL_LOGITS})

    @property
    def comparable(self) -> Comparable:
        return "within"

    @property
    def max_group(self) -> int | None:
        return 9 if self.identifiers == "numbers" else ids.limit(self.identifiers)

    @property
    def scale(self) -> Scale:
        return Scale.RELATIVE

    def labels(self, n: int) -> tuple[str, ...]:
        return ids.labels(self.identifiers, min(n, self.max_group or n))

    def read(self, completion: Completion, n: int) -> Reading:
        if n == 0:
            return Reading(())
        values = _values(completion, self.labels(n), n)
        shares = iter(softmax([v for v in values if v is not None]))
        scores = tuple(MISSING if v is None else next(shares) for v in values)
        return Reading(scores, not_returned(values), valid=any(v is not None for v in values))

    def write(self, scores: Sequence[float]) -> Completion:
        """What a model that holds ``scores`` (as logits) would return."""
        return _completion(self.labels(len(scores)), scores)


def _values(completion: Completion, wanted: Sequence[str], n: int) -> list[float | None]:
    """One value per document; those beyond the alphabet have no label and so no value."""
    values = returned(completion.labels, wanted)
    return values + [None] * (n - len(values))


def _completion(wanted: Sequence[str], scores: Scores | Sequence[float]) -> Completion:
    return Completion(labels={label: s for label, s in zip(wanted, scores, strict=False) if s != MISSING})
