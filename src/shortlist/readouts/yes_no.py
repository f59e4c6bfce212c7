"""One document or one pair judged by the logits of one or two words at one position.

Sources: monoT5 and duoT5 (arXiv 2101.05667: true/false), RankT5 (arXiv 2210.10634: one logit), ProRank
(arXiv 2506.03487: "1" minus "0"), Qwen3-Reranker (yes/no), Rank1 (arXiv 2502.18418: true/false after reasoning).
It does not know tokens or prompts. Both words are needed: a word that was not returned is no probability of zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..core.errors import ConfigError
from ..core.exchange import Completion, Reading
from ..core.protocols import Capability, Comparable
from ..core.types import MISSING, Scale
from .labels import not_returned, returned
from .results import bounded, invalid, softmax


@dataclass(frozen=True)
class YesNo:
    """Scores a document by ``yes`` against ``no``: the log-odds, or the probability of yes given one of the two.

    Log-odds keep apart what a probability rounds to 1.0 (strong candidates all tie), so they are the default.

    >>> from shortlist.core.exchange import Completion
    >>> YesNo().read(Completion(labels={"yes": -0.5, "no": -2.0}), 1).scores
    (1.5,)
    """

    yes: str = "yes"
    no: str = "no"
    output: Literal["log_odds", "probability"] = "log_odds"

    def __post_init__(self) -> None:
        if self.yes == self.no:
            raise ConfigError(f"yes and no are both {self.yes!r}; they must differ")
        if self.output not in ("log_odds", "probability"):
            raise ConfigError(f"output={self.output!r}; expected 'log_odds' or 'probability'")

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
        return Scale.LOGIT if self.output == "log_odds" else Scale.PROBABILITY

    def labels(self, n: int) -> tuple[str, ...]:
        return (self.yes, self.no) if n else ()

    def read(self, completion: Completion, n: int) -> Reading:
        if n == 0:
            return Reading(())
        if n > 1:
            return invalid(n, "group_too_large", detail=f"{n} documents, one judgement")
        values = returned(completion.labels, (self.yes, self.no))
        yes, no = values
        if yes is None or no is None:
            return Reading((MISSING,), not_returned(values), valid=False)
        return Reading((bounded(yes - no) if self.output == "log_odds" else softmax((yes, no))[0],))

    def write(self, scores: Sequence[float]) -> Completion:
        """What a model that holds the score (one of them, on this readout's scale) would return."""
        odds = [s if self.output == "log_odds" else _log(s) - _log(1.0 - s) for s in scores[:1]]
        return Completion(labels={self.yes: odds[0], self.no: 0.0} if odds and scores[0] != MISSING else {})


@dataclass(frozen=True)
class RawLogit:
    """Scores a document by the logit of one label as it is (RankT5's ``<extra_id_10>``).

    >>> from shortlist.core.exchange import Completion
    >>> RawLogit().read(Completion(labels={"<extra_id_10>": 3.25}), 1).scores
    (3.25,)
    """

    label: str = "<extra_id_10>"

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
        return Scale.LOGIT

    def labels(self, n: int) -> tuple[str, ...]:
        return (self.label,) if n else ()

    def read(self, completion: Completion, n: int) -> Reading:
        if n == 0:
            return Reading(())
        if n > 1:
            return invalid(n, "group_too_large", detail=f"{n} documents, one judgement")
        values = returned(completion.labels, (self.label,))
        score = values[0]
        return Reading((MISSING if score is None else score,), not_returned(values), valid=score is not None)

    def write(self, scores: Sequence[float]) -> Completion:
        """What a model that holds the score (one of them) would return."""
        return Completion(labels={self.label: scores[0]} if len(scores) and scores[0] != MISSING else {})


@dataclass(frozen=True)
class FirstBeatsSecond:
    """Scores an ordered pair by the probability p that the first is the better: (p, 1 - p), as duoT5 does.

    >>> from shortlist.core.exchange import Completion
    >>> FirstBeatsSecond().read(Completion(labels={"true": 0.0, "false": 0.0}), 2).scores
    (0.5, 0.5)
    """

    yes: str = "true"
    no: str = "false"

    def __post_init__(self) -> None:
        if self.yes == self.no:
            raise ConfigError(f"yes and no are both {self.yes!r}; they must differ")

    @property
    def requires(self) -> frozenset[Capability]:
        return frozenset({Capability.LABEL_LOGITS})

    @property
    def comparable(self) -> Comparable:
        return "across"  # a probability of winning: sums of them over pairs are what duoT5 ranks by

    @property
    def max_group(self) -> int | None:
        return 2

    @property
    def scale(self) -> Scale:
        return Scale.RELATIVE

    def labels(self, n: int) -> tuple[str, ...]:
        return (self.yes, self.no) if n else ()

    def read(self, completion: Completion, n: int) -> Reading:
        if n == 0:
            return Reading(())
        if n != 2:
            return invalid(n, "not_a_pair", detail=f"{n} documents")
        values = returned(completion.labels, (self.yes, self.no))
        yes, no = values
        if yes is None or no is None:
            return Reading((MISSING,) * 2, not_returned(values), valid=False)
        return Reading(tuple(softmax((yes, no))))

    def write(self, scores: Sequence[float]) -> Completion:
        """What a model that holds ``scores`` (two logits) would return."""
        first, second = scores
        return Completion(labels={self.yes: first, self.no: second})


def _log(p: float) -> float:
    return math.log(p) if p > 0 else -1e6
