"""Groups to tensors: the student's own features, and what losses need beside the scores.

targets, grades (lists, documents) and mask, True where there is a document; best (lists,), the place of the document
with the highest grade and, among these, the highest target; for contrastive losses ``same`` (lists, lists, documents),
True where a document of another list is no negative here, or what several processes compute it from: ``keys`` (lists,
documents, 2), numbers that stand for a document's id and text, and ``asked`` (lists,), for the query's text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.extras import need
from .batches import Group

if TYPE_CHECKING:
    from .students._base import Student

BESIDE = ("targets", "grades", "mask", "best", "same", "keys", "asked")


@dataclass(frozen=True)
class Collate:
    """Called by a data loader with the groups of a batch. across: the batch's documents serve as negatives. gather:
    those of other processes too."""

    student: Student
    across: bool = False
    gather: bool = False

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
        if self.gather:
            batch["keys"], batch["asked"] = (torch.tensor(numbers) for numbers in _keys(groups, width))
        elif self.across:
            batch["same"] = torch.tensor(_same(groups, width))
        return {**batch, **self.student.features(groups)}


def _standing(group: Group) -> Callable[[int], tuple[float, float]]:
    return lambda d: (group.grades[d], group.targets[d])


def _keys(groups: Sequence[Group], width: int) -> tuple[list[list[tuple[int, int]]], list[int]]:
    """Keys of the documents, (0, 0) where there is none, and of the queries."""
    rows = []
    for group in groups:
        row = [(_key("id", c.id), _key("text", c.document.full_text)) for c in group.candidates]
        rows.append(row + [(0, 0)] * (width - len(row)))
    return rows, [_key("query", group.query.text) for group in groups]


def _key(kind: str, text: str) -> int:
    """63 bits of a hash, never 0; no two texts of a batch share one but by a chance of 1 in 10^12."""
    found = hashlib.blake2b(f"{kind}\n{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(found, "big") >> 1) or 1


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
