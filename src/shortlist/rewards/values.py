"""What rewards are computed from, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..core.errors import InputError


@dataclass(frozen=True, slots=True)
class Rollout:
    """What a model wrote. ``document`` is the position of the one that the prompt was about, in pointwise prompts."""

    text: str
    document: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One query of a training set, as far as rewards ask.

    documents: ids in the order of the prompt. grades: judgements by document id, above 0 is relevant; documents that
    were not shown count in what there was to find. order: a teacher's order of the documents (positions, best first).
    teacher: a teacher's score of each document.
    """

    documents: tuple[str, ...]
    grades: Mapping[str, int] = field(default_factory=dict)
    order: tuple[int, ...] = ()
    teacher: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.documents)
        if len(set(self.documents)) != n:
            raise InputError(f"documents {self.documents[:5]} ...: ids must be unique")
        if self.order and sorted(self.order) != list(range(n)):
            raise InputError(f"order {self.order[:20]}: expected a permutation of the {n} positions")
        if self.teacher and len(self.teacher) != n:
            raise InputError(f"{len(self.teacher)} teacher scores for {n} documents; expected one each")

    def grade(self, position: int) -> int:
        """The grade of the document there; 0 when nobody judged it."""
        return self.grades.get(self.documents[position], 0)


@dataclass(frozen=True, slots=True)
class Reward:
    """``total`` is what training maximises.

    terms: what it is the sum of, weights applied, for logs. gate: the rule of form that the answer broke and that
    decided the total instead; empty when it broke none.
    """

    total: float
    terms: Mapping[str, float] = field(default_factory=dict)
    gate: str = ""


class RewardFunction(Protocol):
    """All rollouts of one query in, one reward for each out, in their order."""

    def __call__(self, rollouts: Sequence[Rollout], record: Record) -> list[Reward]: ...


def summed(terms: Mapping[str, float]) -> Reward:
    """The reward that is the sum of ``terms``."""
    return Reward(sum(terms.values()), terms)


def about(rollout: Rollout, record: Record) -> int:
    """The position that a pointwise rollout was about. Raises InputError when it names none of the record."""
    if rollout.document is None or not 0 <= rollout.document < len(record.documents):
        raise InputError(
            f"a rollout about document {rollout.document!r}; this reward is pointwise and needs the position of one of "
            f"the {len(record.documents)} documents"
        )
    return rollout.document
