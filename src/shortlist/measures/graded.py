"""One query as a measure sees it: where the judged documents stand, and what there was to find.

Most documents of a ranking are unjudged and no measure looks at them, so a query is kept sparse: the positions and
grades of the judged documents that were retrieved, the number retrieved, and the grades of all judged documents.
This module does not know document ids, scores or files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

Id = TypeVar("Id", str, bytes)


@dataclass(frozen=True, slots=True)
class Graded:
    """A ranking reduced to its judged documents.

    n: documents retrieved. positions: of the judged ones among them, 0 first, ascending. grades: theirs.
    pool: grades of every judged document of the query, highest first. Negative grades are kept: trec_eval takes
    such a document as in the pool but not judged, which most measures count as not relevant.
    """

    n: int
    positions: tuple[int, ...]
    grades: tuple[int, ...]
    pool: tuple[int, ...]

    def relevant(self, rel: int) -> list[int]:
        """Positions of retrieved documents with a grade of at least ``rel`` (1 or more)."""
        return [p for p, grade in zip(self.positions, self.grades, strict=True) if grade >= rel]

    def to_find(self, rel: int) -> int:
        """How many judged documents have a grade of at least ``rel``."""
        return sum(grade >= rel for grade in self.pool)

    def ideal(self) -> Graded:
        """The same documents in the best possible order: an oracle reranked them.

        >>> Graded(5, (1, 4), (0, 2), (2, 2, 0)).ideal()
        Graded(n=5, positions=(0, 1), grades=(2, 0), pool=(2, 2, 0))
        """
        return replace(self, positions=tuple(range(len(self.grades))), grades=tuple(sorted(self.grades, reverse=True)))

    def judged_only(self) -> Graded:
        """Without the unjudged documents (and those of negative grade, as trec_eval -J has it)."""
        kept = tuple(grade for grade in self.grades if grade >= 0)
        return replace(self, n=len(kept), positions=tuple(range(len(kept))), grades=kept)

    def mapped(self, gains: Mapping[int, int]) -> Graded:
        """With other grades; a grade that ``gains`` does not name stays."""
        grades = tuple(gains.get(grade, grade) for grade in self.grades)
        pool = tuple(sorted((gains.get(grade, grade) for grade in self.pool), reverse=True))
        return replace(self, grades=grades, pool=pool)


def grade(ids: Sequence[Id], judged: Mapping[Id, int], pool: tuple[int, ...] | None = None) -> Graded:
    """Look up the documents of a ranking, best first, in the judgements of its query.

    pool: ``judged``'s grades, highest first, where the caller has them sorted already.

    >>> grade(["d1", "d7", "d2"], {"d2": 3, "d9": 1, "d1": 0})
    Graded(n=3, positions=(0, 2), grades=(0, 3), pool=(3, 1, 0))
    """
    found = [(position, judged[doc_id]) for position, doc_id in enumerate(ids) if doc_id in judged]
    return Graded(
        len(ids),
        tuple(position for position, _ in found),
        tuple(grade for _, grade in found),
        tuple(sorted(judged.values(), reverse=True)) if pool is None else pool,
    )


def tie_extremes(graded: Graded, groups: Sequence[tuple[int, int]]) -> tuple[Graded, Graded]:
    """The worst and the best order that the same scores allow, ``groups`` being the positions of equal score.

    Best puts the higher grade first and unjudged documents last, worst is the reverse. These are the extremes of
    every measure that only gains from a relevant document that moves up.

    >>> worst, best = tie_extremes(Graded(4, (1,), (1,), (1,)), [(0, 3)])
    >>> worst.positions, best.positions
    ((2,), (0,))
    """
    by_position = dict(zip(graded.positions, graded.grades, strict=True))
    worst, best = dict(by_position), dict(by_position)
    for start, end in groups:
        inside = sorted((by_position[p] for p in range(start, end) if p in by_position), reverse=True)
        for p in range(start, end):
            worst.pop(p, None)
            best.pop(p, None)
        best.update(zip(range(start, end), inside, strict=False))
        worst.update(zip(range(end - len(inside), end), reversed(inside), strict=True))
    return _with(graded, worst), _with(graded, best)


def _with(graded: Graded, by_position: Mapping[int, int]) -> Graded:
    positions = tuple(sorted(by_position))
    return replace(graded, positions=positions, grades=tuple(by_position[p] for p in positions))
