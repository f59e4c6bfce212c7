"""A generated order of the group: ``[2] > [1] > [3]`` and the many ways in which models say it.

Sources: RankGPT (arXiv 2304.09542, section 3), RankVicuna/RankZephyr (rank_llm), LRL (``PASSAGE2, PASSAGE1``),
APEER (``[rankstart] ... [rankend]``), ListT5 (arXiv 2402.15838: worst first), ReasonRank (``<answer>``).
It does not know documents, prompts or what to do about an invalid answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.exchange import Completion, Reading
from ..core.protocols import Capability, Comparable
from ..core.types import Repair, Scale
from . import identifiers as ids
from .mentions import MOST, Form, Found, Mention, chains, find, is_guess
from .results import best_first, invalid, ranked, repairs_of
from .text import answer_of, excerpt

_RANK_START = re.compile(r"\[\s?rank[ _]?start\s?\]", re.IGNORECASE)
_RANK_END = re.compile(r"\[\s?rank[ _]?end\s?\]", re.IGNORECASE)


@dataclass(frozen=True)
class Permutation:
    """Reads a listing of identifiers, best first, as scores n, n-1, ..., 1.

    identifiers: what the prompt calls the documents. reverse: worst first, as ListT5 writes. tag: the answer stands
    inside this tag if the tag occurs; empty: no tag is looked for. form: what the prompt asked for; a looser form
    counts as ``used_fallback``.

    What is decided here, because an answer can be read in more than one way:

    - Only what follows the last closed thinking block is read; a block left open is ``invalid_open_think``.
    - ``[rankstart] ... [rankend]`` limits the text when it occurs.
    - Identifiers in brackets count before ``Document 3``, and this before bare numbers, so ``1. [3]`` is document 3 and
      "the top 3: [2] > [1]" starts with 2. Bare letters must stand in a list; "A good one" and ``BA`` name nothing.
    - When one unbroken chain names all documents and others are mentioned around it, the last such chain is the order
      (``ignored_mentions``). Otherwise the order is that of the first mentions; read from its end when worst first, so
      that the document named last is the best, as ListT5's code takes it.
    - Identifiers outside of the group or named again are left out (``dropped_out_of_range``, ``dropped_repeated``,
      and ``dropped_unreadable`` for brackets such as ``[1-3]``); ``stopped_reading`` after 100,000 of them.
    - Documents not named follow those named, in presentation order (``appended_missing``); when a worst-first list was
      cut by the length limit they precede them instead, because only the worst had been named.
    - Nothing usable: ``no_identifiers``, not valid, every score MISSING.

    >>> from shortlist.core.exchange import Completion
    >>> Permutation().read(Completion("Sure, the top 3: [3] > [1] > [9]"), 3)
    Reading(scores=(2.0, 1.0, 3.0), repairs=(Repair(kind='dropped_out_of_range', count=1, detail=''), \
Repair(kind='appended_missing', count=1, detail='')), valid=True)
    """

    identifiers: ids.Identifiers = "numbers"
    reverse: bool = False
    tag: str = "answer"
    form: Form = "bracketed"

    def __post_init__(self) -> None:
        ids.check(self.identifiers)

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
        return Scale.RANK

    def labels(self, n: int) -> tuple[str, ...]:
        return ()

    def read(self, completion: Completion, n: int) -> Reading:
        if n == 0:
            return Reading(())
        cut = () if completion.finished else (Repair("truncated_output"),)
        answer = answer_of(completion, self.tag)
        if answer.problem:
            return invalid(n, answer.problem, cut)
        text = _between_marks(answer.text)
        found = find(text, self.identifiers, finished=completion.finished)
        named, counts = _order(text, found, n, self.reverse)
        if not named:
            return invalid(n, "no_identifiers", (*answer.repairs, *cut, *repairs_of(counts)), excerpt(text))
        missing = sorted(set(range(n)).difference(named))
        order = missing + named if self.reverse and not completion.finished else named + missing
        fallback = is_guess(found, text, self.form)
        counts = Counter({"used_fallback": int(fallback), **counts, "appended_missing": len(missing)})
        return Reading(ranked(order), (*answer.repairs, *(cut if missing else ()), *repairs_of(counts)))

    def write(self, scores: Sequence[float]) -> Completion:
        """What a model that holds ``scores`` would answer: for fakes and for training targets.

        >>> Permutation("letters").write([0.1, 0.9]).text
        '[B] > [A]'
        """
        order = best_first(scores)
        names = ids.labels(self.identifiers, len(scores))
        listed = [names[i] for i in (order[::-1] if self.reverse else order) if i < len(names)]
        style, joint = {"bracketed": ("[{}]", " > "), "named": ("Document {}", ", "), "bare": ("{}", ", ")}[self.form]
        return Completion(joint.join(style.format(name) for name in listed))


def _order(text: str, found: Found, n: int, reverse: bool) -> tuple[list[int], Counter[str]]:
    """The positions that were named, each once, best first; and what had to be left out."""
    mentions: Sequence[Mention] = found.mentions
    counts: Counter[str] = Counter()
    if len(mentions) > n > 1:
        complete = [run for run in chains(text, found.mentions) if _names_all(run, n)]
        if complete and len(complete[-1]) < len(mentions):
            counts["ignored_mentions"] = len(mentions) - len(complete[-1])
            mentions = complete[-1]
    inside = [m.position for m in mentions if 0 <= m.position < n]
    named = list(dict.fromkeys(reversed(inside) if reverse else inside))
    counts["dropped_out_of_range"] = len(mentions) - len(inside)
    counts["dropped_repeated"] = len(inside) - len(named)
    counts["dropped_unreadable"] = found.unreadable
    counts["stopped_reading"] = int(len(found.mentions) == MOST)
    return named, counts


def _names_all(run: list[Mention], n: int) -> bool:
    return len(run) >= n and len({m.position for m in run if 0 <= m.position < n}) == n


def _between_marks(text: str) -> str:
    starts = list(_RANK_START.finditer(text))
    if not starts:
        return text
    inside = text[starts[-1].end() :]
    end = _RANK_END.search(inside)
    return inside if end is None else inside[: end.start()]
