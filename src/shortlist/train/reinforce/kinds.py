"""The rewards by name, and what each asks of a sample before it can be paid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ... import rewards
from ...core.errors import ConfigError
from ...core.types import Ranking
from ...rewards import Record, Reward
from ..batches import Group, Grouping
from ..samples import is_positive


@dataclass(frozen=True, slots=True)
class Kind:
    """A reward and its samples.

    pointwise: a prompt is about one document, and all documents of a query are asked about together. relevant: there
    must be a relevant document. teacher: what it compares with.
    """

    reward: Callable[..., list[Reward]]
    pointwise: bool = False
    relevant: bool = False
    teacher: Literal["none", "scores", "order"] = "none"

    def check(self, name: str, grouping: Grouping) -> None:
        """Raises ConfigError for groups that this reward cannot be given for."""
        if self.teacher == "scores" and grouping.targets != "scores":
            raise ConfigError(f"the reward {name} needs a teacher's scores: grouping.targets='scores'")
        if self.teacher == "order" and grouping.targets not in ("scores", "order"):
            raise ConfigError(f"the reward {name} needs a teacher's order: grouping.targets='order' (or 'scores')")
        if self.pointwise and grouping.smallest != grouping.largest:
            raise ConfigError(
                f"the reward {name} is about single documents, and every query must bring as many prompts: grouping."
                f"smallest={grouping.smallest} and largest={grouping.largest} must be equal"
            )
        if not self.pointwise and grouping.shown == "positives-first":
            raise ConfigError(
                f"the reward {name} is about lists; with shown='positives-first' naming the first document would be "
                "rewarded; use shown='shuffled' or 'first-stage'"
            )

    def lacks(self, ranking: Ranking, grouping: Grouping) -> str:
        """Why there can be no reward for a sample; empty when there can."""
        positives = sum(is_positive(c) for c in ranking.candidates)
        if self.relevant and not positives:
            return "it has no document graded above 0"
        if self.teacher != "none" and grouping.targets == "scores" and any(c.score is None for c in ranking.candidates):
            return "a document of it has no teacher's score"
        if self.pointwise:
            most = min(grouping.positives or positives, positives) + len(ranking.candidates) - positives
            drawn = len(ranking.candidates) if grouping.positives is None else most
            if drawn < grouping.largest:
                return f"fewer than {grouping.largest} documents can be drawn from it"
        return ""

    def record(self, group: Group) -> Record:
        """What the reward compares with; what was not shown does not exist for it."""
        ids = tuple(c.id for c in group.candidates)
        grades = {doc_id: int(grade) for doc_id, grade in zip(ids, group.grades, strict=True) if grade > 0}
        order = sorted(range(len(ids)), key=lambda i: -group.targets[i]) if self.teacher == "order" else ()
        return Record(ids, grades, tuple(order), group.targets if self.teacher == "scores" else ())


KINDS: dict[str, Kind] = {
    "erank": Kind(rewards.erank, pointwise=True, teacher="scores"),
    "grouprank": Kind(rewards.grouprank, teacher="scores"),
    "mm-r5": Kind(rewards.mm_r5, relevant=True),
    "prorank": Kind(rewards.prorank, pointwise=True),
    "rank-r1": Kind(rewards.rank_r1, relevant=True),
    "rearank": Kind(rewards.rearank),
    "reasonrank": Kind(rewards.reasonrank, relevant=True, teacher="order"),
}
