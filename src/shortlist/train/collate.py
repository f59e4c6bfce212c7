"""Groups to tensors: the student's own features, and what losses need beside the scores.

targets, grades (lists, documents) and mask, True where there is a document; best (lists,), the place of the document
with the highest grade and, among these, the highest target; for contrastive losses ``same`` (lists, lists, documents),
True where a document of another list is no negative here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.extras import need
from .batches import Group

if TYPE_CHECKING:
    from .students._base import Student

BESIDE = ("targets", "grades", "mask", "best", "same")


@dataclass(frozen=True)
class Collate:
    """Called by a data loader with the groups of a batch. across: the batch's documents serve as negatives."""

    student: Student
    across: bool = False

    def __call__(self, groups: Sequence[Group]) -> dict[str, Any]:
        torch = need("torch>=2.4", extra="local")
        width = max(len(group.candidates) for group in groups)
        targets = torch.full((len(groups), width), float("-inf"))
        grades = torch.zeros(len(groups), width)
        mask = torch.zeros(len(groups), width, dtype=torch.bool)
        for row, group in enumerate(groups):
            n = len(group.candidates)
            targets[row, :n] = torch.tensor(group.targets)
            grades[row, :n] = torch.tensor(group.grades)
            mask[row, :n] = True
        best = [max(range(len(g.targets)), key=_standing(g)) for g in groups]
        batch = {"targets": targets, "grades": grades, "mask": mask, "best": torch.tensor(best)}
        if self.across:
            batch["same"] = torch.tensor(_same(groups, width))
        return {**batch, **self.student.features(groups)}


def _standing(group: Group) -> Callable[[int], tuple[float, float]]:
    return lambda d: (group.grades[d], group.targets[d])


def _same(groups: Sequence[Group], width: int) -> list[list[list[bool]]]:
    """[i][j][d]: document d of list j is also in list i, by its id or its text, or both lists ask the same."""
    known = [({c.id for c in g.candidates}, {c.document.full_text for c in g.candidates}) for g in groups]
    table = []
    for i, group in enumerate(groups):
        ids, texts = known[i]
        row = []
        for j, other in enumerate(groups):
            asked = i != j and group.query.text == other.query.text
            found = [i != j and (asked or c.id in ids or c.document.full_text in texts) for c in other.candidates]
            row.append(found + [False] * (width - len(found)))
        table.append(row)
    return table
