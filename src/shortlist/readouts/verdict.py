"""Which of two is better, as a judge writes it: ``[A]``, ``[[B]]``, ``Passage A``.

Sources: PRP (arXiv 2306.17563: ``Passage A``), FARE (arXiv 2510.17793: explanation, then ``[A]`` or ``[B]``).
It does not know that a pair is usually asked in both orders; that is the schedule's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import ConfigError
from ..core.exchange import Completion, Reading
from ..core.protocols import Capability, Comparable
from ..core.types import Repair, Scale
from . import identifiers as ids
from .mentions import find, is_guess
from .results import invalid, repairs_of
from .text import answer_of, excerpt


@dataclass(frozen=True)
class Verdict:
    """Reads the winner of a pair: 1 point for it, 0 for the other, a half each for a tie.

    identifiers: what the two are called. tie: the identifiers with which a judge may declare a tie; empty: it may not.
    The last identifier in brackets is the verdict, since judges explain first. Without brackets the answer must name
    one identifier only (``Passage A``; a bare label in running text counts as ``used_fallback``), or else its last line
    must (``used_fallback``). "Passage A is better than passage B" is ``ambiguous_verdict``, nothing is ``no_verdict``.

    >>> from shortlist.core.exchange import Completion
    >>> Verdict().read(Completion("A is short, but B answers the question. [B]"), 2)
    Reading(scores=(0.0, 1.0), repairs=(), valid=True)
    """

    identifiers: tuple[str, str] = ("A", "B")
    tie: tuple[str, ...] = ("C", "tie")
    tag: str = "answer"

    def __post_init__(self) -> None:
        ids.check((*self.identifiers, *self.tie))
        if len(self.identifiers) != 2:
            raise ConfigError(f"identifiers={self.identifiers!r}; a verdict is between exactly two")

    @property
    def requires(self) -> frozenset[Capability]:
        return frozenset({Capability.GENERATE})

    @property
    def comparable(self) -> Comparable:
        return "within"

    @property
    def max_group(self) -> int | None:
        return 2

    @property
    def scale(self) -> Scale:
        return Scale.POINTS

    def labels(self, n: int) -> tuple[str, ...]:
        return ()

    def read(self, completion: Completion, n: int) -> Reading:
        if n == 0:
            return Reading(())
        if n != 2:
            return invalid(n, "not_a_pair", detail=f"{n} documents")
        cut = () if completion.finished else (Repair("truncated_output"),)
        answer = answer_of(completion, self.tag)
        if answer.problem:
            return invalid(n, answer.problem, cut)
        text, names = answer.text, (*self.identifiers, *self.tie)
        found = find(text, names, finished=completion.finished, listing=False)
        loose = is_guess(found, text, "named")
        if found.form != "bracketed" and len({m.position for m in found.mentions}) > 1:
            lines = text.strip().splitlines()
            found = find(lines[-1], names, finished=completion.finished, listing=False)
            loose = True
            if len({m.position for m in found.mentions}) != 1:
                return invalid(n, "ambiguous_verdict", (*answer.repairs, *cut), excerpt(text))
        if not found.mentions:
            return invalid(n, "no_verdict", (*answer.repairs, *cut), excerpt(text))
        scores = {0: (1.0, 0.0), 1: (0.0, 1.0)}.get(found.mentions[-1].position, (0.5, 0.5))
        return Reading(scores, (*answer.repairs, *repairs_of({"used_fallback": int(loose)})))

    def write(self, scores: Sequence[float]) -> Completion:
        """What a judge that holds ``scores`` (two of them) would answer.

        >>> Verdict().write([0.1, 0.9]).text
        '[B]'
        """
        first, second = scores
        if first == second and self.tie:
            return Completion(f"[{self.tie[0]}]")
        return Completion(f"[{self.identifiers[int(second > first)]}]")
