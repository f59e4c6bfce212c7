"""From the queries of a run to an Evaluation: one pass, nothing kept per document.

The denominator is every judged query (trec_eval -c): a query that the run lacks, or could not score, counts as zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import fsum

from ..core.errors import InputError
from ..measures import Graded, Measure, external_values, tie_extremes
from .judgements import Judgements
from .result import TOP, Coverage, Evaluation
from .seen import Seen


class Tally:
    """Collects Seen values and makes an Evaluation of them.

    Raises InputError at the end when the run has queries and not one of them is judged: the ids do not fit.
    """

    def __init__(self, judged: Judgements, measures: Sequence[Measure], name: str) -> None:
        self.judged = judged
        self.measures = measures
        self.name = name
        self._ours = [m for m in measures if m.ours]
        self._values: dict[str, list[float]] = {}
        self._ceilings: dict[str, list[float]] = {}
        self._extremes: dict[str, tuple[list[float], list[float]]] = {}
        self._ranked: dict[str, Sequence[str]] = {}
        self._named: dict[str, list[str]] = {"unscored": [], "empty": [], "partial": [], "ignored": []}
        self._tied_documents = self._tied_queries = self._top = self._unjudged_top = 0

    def add(self, seen: Seen) -> None:
        """One query of the run."""
        graded = seen.graded
        if graded is None:
            self._named["ignored"].append(seen.query_id)
            return
        self._ceilings[seen.query_id] = self._compute(graded.ideal())
        if seen.status == "unscored" or graded.n == 0:
            self._named["unscored" if seen.status == "unscored" else "empty"].append(seen.query_id)
            self._values[seen.query_id] = self._compute(Graded(0, (), (), graded.pool))
            return
        if seen.status == "partial":
            self._named["partial"].append(seen.query_id)
        self._values[seen.query_id] = self._compute(graded)
        self._count(seen, graded)
        if seen.ids:
            self._ranked[seen.query_id] = seen.ids

    def evaluation(self, first_stage: Evaluation | None = None) -> Evaluation:
        """The result of everything added."""
        if self._named["ignored"] and not self._values:
            raise InputError(
                f"{self.name}: none of its {len(self._named['ignored'])} queries ({self._named['ignored'][0]!r} ...) "
                f"is among the {len(self.judged.grades)} judged ones ({next(iter(self.judged.grades))!r} ...)"
            )
        missing = tuple(query for query in self.judged.grades if query not in self._values)
        for query in missing:
            nothing = self._compute(Graded(0, (), (), self.judged.pools[query]))
            self._values[query] = self._ceilings[query] = nothing
        values = self._all_values()
        worst = self._by_measure(self._values | {query: both[0] for query, both in self._extremes.items()})
        best = self._by_measure(self._values | {query: both[1] for query, both in self._extremes.items()})
        lowest, highest = self._figures(worst), self._figures(best)
        return Evaluation(
            self.name,
            values,
            self._figures(values),
            self._figures(self._by_measure(self._ceilings)),
            {measure: (lowest[measure], highest[measure]) for measure in lowest},
            self._coverage(missing),
            first_stage,
        )

    def _compute(self, graded: Graded) -> list[float]:
        return [measure.compute(graded) for measure in self._ours]

    def _count(self, seen: Seen, graded: Graded) -> None:
        top = min(graded.n, TOP)
        self._top += top
        self._unjudged_top += top - sum(position < top for position in graded.positions)
        if seen.ties:
            self._tied_queries += 1
            self._tied_documents += sum(end - start for start, end in seen.ties)
            worst, best = tie_extremes(graded, seen.ties)
            if worst != best:
                self._extremes[seen.query_id] = (self._compute(worst), self._compute(best))

    def _by_measure(self, rows: Mapping[str, list[float]]) -> dict[str, Mapping[str, float]]:
        return {str(m): {query: rows[query][i] for query in self.judged.grades} for i, m in enumerate(self._ours)}

    def _all_values(self) -> dict[str, Mapping[str, float]]:
        """Ours and ir-measures' values together, in the order in which the measures were asked for."""
        ours = self._by_measure(self._values)
        theirs = external_values([m for m in self.measures if not m.ours], self.judged.grades, self._ranked)
        ours |= {str(m): {query: found.get(query, 0.0) for query in self.judged.grades} for m, found in theirs.items()}
        return {str(m): ours[str(m)] for m in self.measures}

    def _figures(self, values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        summed = {str(m) for m in self.measures if m.summed}
        return {m: fsum(v.values()) / (1 if m in summed else len(v)) for m, v in values.items()}

    def _coverage(self, missing: tuple[str, ...]) -> Coverage:
        return Coverage(
            judged=len(self.judged.grades),
            missing=missing,
            unscored=tuple(self._named["unscored"]),
            empty=tuple(self._named["empty"]),
            partial=tuple(self._named["partial"]),
            ignored=tuple(self._named["ignored"]),
            without_relevant=tuple(query for query, pool in self.judged.pools.items() if pool[0] < 1),
            tied_documents=self._tied_documents,
            tied_queries=self._tied_queries,
            top=self._top,
            unjudged_top=self._unjudged_top,
        )


def tallied(queries: Iterable[Seen], judged: Judgements, measures: Sequence[Measure], name: str) -> Tally:
    """A Tally of all ``queries``."""
    tally = Tally(judged, measures, name)
    for seen in queries:
        tally.add(seen)
    return tally
