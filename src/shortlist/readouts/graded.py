"""The expected grade of a document from the log-probabilities of all grades at one position.

Source: "Beyond Yes and No" (Zhuang et al. 2023, arXiv 2310.14122, expected relevance values).
It does not know tokens; grades of more than one token are the backend's concern.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import ConfigError
from ..core.exchange import Completion, Reading
from ..core.protocols import Capability, Comparable
from ..core.types import MISSING, Scale
from .labels import not_returned, returned
from .results import invalid, softmax


@dataclass(frozen=True)
class ExpectedGrade:
    """Scores a document by the mean of ``values`` under the softmax over the labels ``grades``.

    grades: the labels, lowest first. values: what each is worth; None: 0, 1, 2 ... Labels that were not returned
    (outside a top-k list, so improbable) are left out of the mean with ``label_not_returned``; with none there is no
    score.

    >>> from shortlist.core.exchange import Completion
    >>> ExpectedGrade(("0", "1", "2")).read(Completion(labels={"0": -9.0, "1": 0.0, "2": 0.0}), 1).scores[0] > 1.49
    True
    """

    grades: tuple[str, ...] = ("0", "1", "2", "3", "4")
    values: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.grades or len(set(self.grades)) != len(self.grades):
            raise ConfigError(f"grades={self.grades!r} must be distinct labels, at least one")
        if self.values is not None and len(self.values) != len(self.grades):
            raise ConfigError(f"{len(self.values)} values for {len(self.grades)} grades; give one per grade or None")
        if self.values is not None and not all(map(math.isfinite, self.values)):
            raise ConfigError(f"values={self.values!r} must be finite")

    @property
    def requires(self) -> frozenset[Capability]:
        return frozenset({Capability.LABEL_LOGITS})

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
        return self.grades if n else ()

    def read(self, completion: Completion, n: int) -> Reading:
        if n == 0:
            return Reading(())
        if n > 1:
            return invalid(n, "group_too_large", detail=f"{n} documents, one judgement")
        given = returned(completion.labels, self.grades)
        known = [(v, worth) for v, worth in zip(given, self._worth(), strict=True) if v is not None]
        if not known:
            return Reading((MISSING,), not_returned(given), valid=False)
        shares = softmax([v for v, _ in known])
        # halves keep a mean of the largest floats from overflowing on the way
        mean = 2 * math.fsum(share * (worth / 2) for share, (_, worth) in zip(shares, known, strict=True))
        worths = [worth for _, worth in known]
        return Reading((max(min(worths), min(max(worths), mean)),), not_returned(given))

    def write(self, scores: Sequence[float]) -> Completion:
        """What a model that holds the score (one of them, between two grades) would return."""
        if not len(scores) or scores[0] == MISSING:
            return Completion(labels={})
        worth = self._worth()
        order = sorted(range(len(worth)), key=lambda i: worth[i])
        score = max(worth[order[0]], min(worth[order[-1]], scores[0]))
        labels = dict.fromkeys(self.grades, -1e9)
        low = max((i for i in order if worth[i] <= score), key=lambda i: worth[i])
        high = min((i for i in order if worth[i] >= score), key=lambda i: worth[i])
        part = 0.0 if worth[low] == worth[high] else (score - worth[low]) / (worth[high] - worth[low])
        for i, share in ((low, 1.0 - part), (high, part)):
            if share > 0:
                labels[self.grades[i]] = math.log(share)
        return Completion(labels=labels)

    def _worth(self) -> tuple[float, ...]:
        return tuple(float(i) for i in range(len(self.grades))) if self.values is None else self.values
