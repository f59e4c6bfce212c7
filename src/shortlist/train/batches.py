"""Training groups: a query with some of its documents, their targets and grades, the same for a seed everywhere.

A ranking gives one group per epoch. Which negatives it holds, how many, and in which order they are shown depends on
the seed, the epoch and the query's id alone; so a job that continues after a kill, or runs on several machines, sees
what an undisturbed one sees. It does not know models or losses.
"""

from __future__ import annotations

import hashlib
import random
from array import array
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..core.errors import ConfigError, InputError
from ..core.types import MISSING, Call, Candidate, Query, Ranking
from ..formats.features import grade_of

Targets = Literal["grades", "binary", "scores", "order"]
Presentation = Literal["positives-first", "shuffled", "first-stage"]
NO_TEXTS = "an empty query or no document with text"


@dataclass(frozen=True, slots=True)
class Group:
    """A query, documents in the order in which they are shown, and two numbers for each of them.

    targets: what the student is to learn, higher is better; ``MISSING`` where the teacher said nothing. grades: the
    judgements, 0 where there is none or it is negative. answers: what a teacher said about these documents, and about
    no others.
    """

    query: Query
    candidates: tuple[Candidate, ...]
    targets: tuple[float, ...]
    grades: tuple[float, ...]
    answers: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Grouping:
    """How groups are made of rankings.

    targets: ``scores`` of a teacher; its ``order`` (0 for the first, then -1, -2 ...); ``grades``, or ``binary`` ones
    (1 above 0). What is unjudged has grade 0. smallest, largest: documents of a group; drawn anew for each group when
    they differ. Rankings with fewer documents give smaller groups. A group holds a document of grade above 0 (where
    nothing is judged, the teacher's best) and one that is not, and others. positives: how many of grade above 0 it
    holds at most; None draws the others from all. negatives: these others are ``random``, drawn anew in every epoch,
    or the ``first`` of the ranking. shown: prompts that show several documents need
    ``shuffled`` or ``first-stage``, or they teach a place instead of relevance; for others it makes no difference.

    answered: a group is what a teacher was asked (``train.answers``): of a recorded answer about several documents
    these, in the order in which it saw them; of answers about single documents up to ``largest`` that have one. Sizes,
    targets, positives and shown decide nothing else then; rankings without an answer are left out.
    """

    targets: Targets = "scores"
    smallest: int = 8
    largest: int = 8
    positives: int | None = None
    negatives: Literal["random", "first"] = "random"
    shown: Presentation = "positives-first"
    answered: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.smallest <= self.largest:
            raise ConfigError(f"groups of {self.smallest} to {self.largest} documents: expected 2 or more, in order")
        if self.positives is not None and self.positives < 1:
            raise ConfigError(f"positives={self.positives}: expected 1 or more, or None for all")
        choices = {
            "targets": ("grades", "binary", "scores", "order"),
            "negatives": ("random", "first"),
            "shown": ("positives-first", "shuffled", "first-stage"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ConfigError(f"{name}={getattr(self, name)!r}: expected one of {', '.join(known)}")

    def group(self, ranking: Ranking, epoch: int, seed: int) -> Group:
        """The ranking's group in an epoch."""
        chance = _chance(seed, epoch, ranking.query.id)
        wanted = _targets(ranking, self.targets)
        chosen = self._asked(ranking, chance) if self.answered else self._drawn(ranking, wanted, chance)
        shown = frozenset(ranking.candidates[i].id for i in chosen)
        return Group(
            ranking.query,
            tuple(ranking.candidates[i] for i in chosen),
            tuple(wanted[i] for i in chosen),
            tuple(_grade(ranking.candidates[i]) for i in chosen),
            tuple(call for call in ranking.trace if call.output and shown.issuperset(call.group)),
        )

    def _drawn(self, ranking: Ranking, wanted: Sequence[float], chance: random.Random) -> list[int]:
        """Positions of the documents of a group, in the order in which they are shown."""
        size = chance.randint(self.smallest, self.largest)
        good = [i for i, c in enumerate(ranking.candidates) if _grade(c) > 0] or [_best(wanted)]
        bad = [i for i in range(len(ranking.candidates)) if i not in good]
        kept = chance.sample(good, min(self.positives or 1, len(good), size - 1))
        others = bad if self.positives is not None else [i for i in range(len(ranking.candidates)) if i not in kept]
        if self.negatives == "first":
            drawn = others[: size - len(kept)]
        else:
            drawn = chance.sample(bad, min(1, len(bad)))
            left = [i for i in others if i not in drawn]
            drawn += chance.sample(left, min(size - len(kept) - len(drawn), len(left)))
        return self._ordered([*kept, *drawn], ranking, chance)

    def _asked(self, ranking: Ranking, chance: random.Random) -> list[int]:
        """Positions of what a teacher was asked about, as it was shown."""
        place = {doc_id: i for i, doc_id in enumerate(ranking.ids)}
        calls = [call.group for call in ranking.trace if _is_answer(call, place)]
        lists = [group for group in calls if len(group) > 1]
        if lists:
            return [place[doc_id] for doc_id in chance.choice(lists)]
        single = list(dict.fromkeys(place[group[0]] for group in calls))
        return chance.sample(single, min(self.largest, len(single)))

    def _ordered(self, chosen: list[int], ranking: Ranking, chance: random.Random) -> list[int]:
        if self.shown == "shuffled":
            return chance.sample(chosen, len(chosen))
        if self.shown == "first-stage":
            first = [c.first_rank for c in ranking.candidates]
            return sorted(chosen, key=lambda i: (i if first[i] is None else first[i], i))
        return chosen

    def lacks(self, ranking: Ranking) -> str:
        """Why a ranking cannot be trained on; empty when it can."""
        if ranking.status == "unscored":
            return "it is unscored"
        if not _has_texts(ranking):
            return NO_TEXTS
        if self.answered:
            known = frozenset(ranking.ids)
            return "" if any(_is_answer(call, known) for call in ranking.trace) else "no answer of a teacher is with it"
        if len(ranking.candidates) < 2:
            return "it has fewer than 2 documents"
        positives = sum(_grade(c) > 0 for c in ranking.candidates)
        if self.targets in ("grades", "binary") and not 0 < positives < len(ranking.candidates):
            return "it has no document graded above 0" if not positives else "all its documents are relevant"
        scored = any(c.score is not None for c in ranking.candidates)
        if self.targets == "order" and scored and any(map(_added, ranking.candidates)):
            return "a relevant document was added behind its order, which would teach that it is the worst"
        if self.targets == "scores" and sum(c.score is not None for c in ranking.candidates) < 2:
            return "fewer than 2 of its documents have a teacher's score"
        return ""


@dataclass
class Groups:
    """Groups by number, epoch after epoch: the data set that a trainer reads from front to back.

    length: how many there are; they begin anew, drawn otherwise, when the rankings are used up. judged: rankings
    without a relevant document are left out, whatever the targets. left_out: reason -> how many rankings. Raises
    InputError when no ranking can be trained on.
    """

    rankings: Sequence[Ranking]
    grouping: Grouping
    seed: int = 0
    length: int = 0
    judged: bool = False
    left_out: dict[str, int] = field(default_factory=dict, init=False)
    _kept: array[int] = field(default_factory=lambda: array("q"), init=False, repr=False)
    _order: tuple[int, list[int]] = field(default=(-1, []), init=False, repr=False)

    def __post_init__(self) -> None:
        for number, ranking in enumerate(self.rankings):
            why = self.grouping.lacks(ranking)
            if self.judged and not why and not any(_grade(c) > 0 for c in ranking.candidates):
                why = "it has no document graded above 0"
            if why:
                self.left_out[why] = self.left_out.get(why, 0) + 1
            else:
                self._kept.append(number)
        if not self._kept:
            raise InputError(nothing_left(len(self.rankings), self.left_out, "trained on"))
        self.length = self.length or self.samples

    @property
    def samples(self) -> int:
        """Rankings that are trained on: the groups of one epoch."""
        return len(self._kept)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> Group:
        if not 0 <= number < self.length:
            raise IndexError(number)
        epoch, place = divmod(number, self.samples)
        if self._order[0] != epoch:
            order = list(range(self.samples))
            _chance(self.seed, epoch, "\norder").shuffle(order)
            self._order = (epoch, order)
        ranking = self.rankings[self._kept[self._order[1][place]]]
        return self.grouping.group(ranking, epoch, self.seed)


def nothing_left(samples: int, left_out: Mapping[str, int], done: str) -> str:
    """Why none of so many samples can be ``done``, from the reasons, and what to do where that is known."""
    said = "; ".join(f"{count}: {why}" for why, count in left_out.items()) or "the file is empty"
    if NO_TEXTS not in left_out:
        return f"none of {samples} samples can be {done} ({said})"
    others = "; ".join(f"{count}: {why}" for why, count in left_out.items() if why != NO_TEXTS)
    return (
        f"no texts ({left_out[NO_TEXTS]} of {samples} samples have {NO_TEXTS}{'; ' if others else ''}{others}): a run "
        "holds only ids; `shortlist convert RUN OUT.jsonl --corpus FILE --queries FILE` puts the texts to them"
    )


def _has_texts(ranking: Ranking) -> bool:
    """Whether there is something to read in the query and in a document; an image counts."""
    query, documents = ranking.query, (candidate.document for candidate in ranking.candidates)
    return bool(query.text.strip() or query.images) and any(d.full_text.strip() or d.images for d in documents)


def _chance(seed: int, epoch: int, name: str) -> random.Random:
    return random.Random(hashlib.sha256(f"{seed}\n{epoch}\n{name}".encode("utf-8", "surrogatepass")).digest())


def _is_answer(call: Call, known: Container[str]) -> bool:
    return bool(call.output and call.group) and all(doc_id in known for doc_id in call.group)


def _grade(candidate: Candidate) -> float:
    return max(0.0, float(grade_of(candidate) or 0))


def _added(candidate: Candidate) -> bool:
    """A relevant document that neither a first stage nor a teacher has placed (``samples.with_positives``)."""
    return candidate.score is candidate.first_score is candidate.first_rank is None and _grade(candidate) > 0


def _targets(ranking: Ranking, kind: Targets) -> list[float]:
    if kind == "order":
        return [-float(i) for i in range(len(ranking.candidates))]
    if kind == "scores":
        return [MISSING if c.score is None else c.score for c in ranking.candidates]
    grades = [_grade(c) for c in ranking.candidates]
    return [float(g > 0) for g in grades] if kind == "binary" else grades


def _best(targets: Sequence[float]) -> int:
    return max(range(len(targets)), key=lambda i: targets[i])
