"""Measures that we do not compute ourselves, by ir-measures (extra ``eval``).

Its providers break ties in different ways, so it is given our order as strictly decreasing scores: every measure of
a report is then computed on one and the same ranking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..core.errors import ConfigError, MissingExtra, UnknownName
from ..core.extras import need
from .names import Measure
from .table import FORMULAS


def external_values(
    measures: Iterable[Measure], judged: Mapping[str, Mapping[str, int]], ranked: Mapping[str, Sequence[str]]
) -> dict[Measure, dict[str, float]]:
    """Values by measure and query. judged: query -> document -> grade. ranked: query -> document ids, best first.

    Raises MissingExtra without ir-measures, UnknownName and ConfigError for what it does not know or cannot compute.
    """
    wanted = {str(m): m for m in measures}
    if not wanted:
        return {}
    ir_measures = _ir_measures(wanted)
    theirs = {_theirs(ir_measures, measure): measure for measure in wanted.values()}
    run = {query: {d: float(len(ids) - i) for i, d in enumerate(ids)} for query, ids in ranked.items() if ids}
    values: dict[Measure, dict[str, float]] = {measure: {} for measure in wanted.values()}
    try:
        for metric in ir_measures.iter_calc(list(theirs), {q: dict(d) for q, d in judged.items()}, run):
            values[theirs[metric.measure]][metric.query_id] = float(metric.value)
    except (ValueError, AssertionError) as error:
        raise ConfigError(f"ir-measures cannot compute {', '.join(wanted)}: {error}") from error
    return values


def _ir_measures(wanted: Iterable[str]) -> Any:
    try:
        return need("ir-measures>=0.3.7", extra="eval")
    except MissingExtra as error:
        raise MissingExtra(
            f"{', '.join(wanted)} is left to ir-measures: {error}. Without it these are computed: {', '.join(FORMULAS)}"
        ) from error


def _theirs(ir_measures: Any, measure: Measure) -> Any:
    registry = ir_measures.measures.registry
    if measure.name not in registry:
        raise UnknownName("measure", measure.name, {*registry, *FORMULAS})
    known = registry[measure.name]
    at = {} if measure.at is None else {known.AT_PARAM: measure.at}
    return known(**dict(measure.parameters), **at)
