"""What a generator makes and an architecture scores: lists of documents as numbers, for training and held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

Weights = dict[str, Any]
"""A model: parameter name -> torch tensor."""


@dataclass(frozen=True, slots=True)
class Lists:
    """Queries with their candidates, as float32 torch tensors.

    queries: (lists, query tokens, dim). documents: (lists, documents, document tokens, dim). targets: (lists,
    documents), what the teacher says. labels: the same shape, what somebody judged, 1 for relevant; mostly 0. grades:
    the same shape, 0 to 3, the truth; nothing is trained on it.
    """

    queries: Any
    documents: Any
    targets: Any
    labels: Any
    grades: Any

    def __len__(self) -> int:
        return len(self.queries)

    def __getitem__(self, chosen: Any) -> Lists:
        """Some of the lists: a slice or an index tensor."""
        parts = (self.queries, self.documents, self.targets, self.labels, self.grades)
        return Lists(*(part[chosen] for part in parts))


@dataclass(frozen=True, slots=True)
class Sample:
    """Lists of one world. The held-out ones have other queries and documents, and usually more documents."""

    train: Lists
    held_out: Lists


class Generator(Protocol):
    """Makes data in which one thing is true by construction; its fields say how much of it."""

    def sample(self, seed: int) -> Sample: ...


class Architecture(Protocol):
    """A way to score documents for a query, with weights that are given."""

    def start(self, dim: int, seed: int) -> Weights:
        """Weights before training. dim: of the tokens."""
        ...

    def scores(self, weights: Weights, queries: Any, documents: Any) -> Any:
        """(lists, documents), of tensors as in ``Lists``."""
        ...
