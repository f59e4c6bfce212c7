"""The best one or the best few of a group, named in generated text.

Sources: Setwise (arXiv 2310.09497, generation), Rank-R1 (arXiv 2503.06034: ``<answer>[3]</answer>``), TourRank
(arXiv 2406.11678: ``Document 3, ..., Document 1``). It does not know what becomes of those that were not picked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..core.errors import ConfigError
from ..core.exchange import Completion, Reading
from ..core.protocols import Capability, Comparable
from ..core.types import Repair, Scale
from . import identifiers as ids
from .mentions import MOST, Form, find, is_guess
from .results import best_first, invalid, repairs_of
from .text import answer_of, excerpt


@dataclass(frozen=True)
class Pick:
    """Reads the ``m`` documents that were picked: 1 point each, 0 for the rest.

    All picks tie and all others tie, because that is all that was said: a stable sort puts the picked first and keeps
    presentation order on both sides, and points of several tournaments add up. With ``ordered`` the picks themselves
    are in order of preference and get m, m-1, ..., 1.

    identifiers, tag, form: as in Permutation. take: which of more than ``m`` identifiers count. ``first`` suits
    prompts that ask for the label alone (what follows is an explanation), ``last`` answers that reason first.

    Repairs: ``dropped_extra`` (more than m were named), ``picked_too_few``, and those of Permutation.
    A bare letter counts wherever it stands alone, except the article "A" and the pronoun "I".

    >>> from shortlist.core.exchange import Completion
    >>> Pick(identifiers="letters").read(Completion("Passage C"), 3)
    Reading(scores=(0.0, 0.0, 1.0), repairs=(), valid=True)
    """

    m: int = 1
    identifiers: ids.Identifiers = "numbers"
    ordered: bool = False
    take: Literal["first", "last"] = "first"
    tag: str = "answer"
    form: Form = "named"

    def __post_init__(self) -> None:
        ids.check(self.identifiers)
        if self.m < 1:
            raise ConfigError(f"m={self.m}; at least one document must be picked")

    @property
    def requires(self) -> frozenset[Capability]:
        return frozenset({Capability.GENERATE})

    @property
    def comparable(self) -> Comparable:
        return "within"

    @property
    def max_group(self) -> int | None:
        return ids.limit(self.identifiers)

    @property
    def scale(self) -> Scale:
        return Scale.POINTS

    def labels(self, n: int) -> tuple[str, ...]:
        return ()

    def read(self, completion: Completion, n: int) -> Reading:
        if n == 0:
            return Reading(())
        cut = () if completion.finished else (Repair("truncated_output"),)
        answer = answer_of(completion, self.tag)
        if answer.problem:
            return invalid(n, answer.problem, cut)
        found = find(answer.text, self.identifiers, finished=completion.finished, listing=False)
        inside = [m.position for m in found.mentions if 0 <= m.position < n]
        named = list(dict.fromkeys(inside if self.take == "first" else inside[::-1]))
        picks = named[: self.m] if self.take == "first" else named[: self.m][::-1]
        loose = is_guess(found, answer.text, self.form)
        counts = Counter(
            used_fallback=int(loose and bool(picks)),
            dropped_out_of_range=len(found.mentions) - len(inside),
            dropped_unreadable=found.unreadable,
            dropped_extra=len(named) - len(picks),
            stopped_reading=int(len(found.mentions) == MOST),
        )
        if not picks:
            noted = (*answer.repairs, *cut, *repairs_of(counts))
            return invalid(n, "no_identifiers", noted, excerpt(answer.text))
        few = min(self.m, n) - len(picks)
        counts["picked_too_few"] = few
        scores = [0.0] * n
        for rank, position in enumerate(picks):
            scores[position] = float(len(picks) - rank) if self.ordered else 1.0
        return Reading(tuple(scores), (*answer.repairs, *(cut if few > 0 else ()), *repairs_of(counts)))

    def write(self, scores: Sequence[float]) -> Completion:
        """What a model that holds ``scores`` would answer.

        >>> Pick(2).write([0.1, 0.9, 0.5]).text
        'Document 2, Document 3'
        """
        names = ids.labels(self.identifiers, len(scores))
        style = {"bracketed": "[{}]", "named": "Document {}", "bare": "{}"}[self.form]
        return Completion(", ".join(style.format(names[i]) for i in best_first(scores)[: self.m] if i < len(names)))
