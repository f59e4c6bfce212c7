"""A mixture tuned to somebody's own judged queries: columns asked once, weights fitted, and measured.

Measured twice: on the queries themselves, each ranked by weights that were learned without it, and by the gate on
held-out sets where there are some. What is written is in ``tuned``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, InputError
from ..core.types import Ranking
from ..drive import limited
from ..drive.mixture import Mixture, columns
from ..formats.features import GRADE
from ..formats.graded import Grades, with_grades
from ..measures import parse_all
from ..pipeline import Stage
from ..rerank.mixture import build as mixture
from .gate import HeldOut, check_sets, gate
from .leaks import LeakReport, all_asked, same, without_leaks
from .mixture import STRENGTH, Judged, check, cross_fitted, fit
from .tuned import Tuned, placed, write_tuned
from .verdict import Verdict

BATCH = 16  # queries that the stages see at once
OWN = "this set"


@dataclass(frozen=True, slots=True)
class Tuning:
    """How weights are learned and measured. measure: one, by name. margin: how far a held-out set may fall, in the
    measure's unit. strength, folds: see ``fit`` and ``cross_fitted``."""

    measure: str = "nDCG@10"
    margin: float = 0.01
    strength: float = STRENGTH
    folds: int = 20

    def __post_init__(self) -> None:
        check(strength=self.strength, folds=self.folds)
        if self.margin < 0:
            raise ConfigError(f"margin={self.margin}: expected 0 or more")
        if len(parse_all(self.measure)) != 1:
            raise ConfigError(f"measure={self.measure!r}: expected one measure")


def tune(
    stages: Sequence[str | Mapping[str, Any]],
    rankings: Iterable[Ranking],
    judgements: Grades,
    output: Path,
    how: Tuning | None = None,
    *,
    sets: Sequence[HeldOut] = (),
    inputs: Mapping[str, Path | str] | None = None,
    licence: str = "",
    progress: Callable[[int], None] = lambda done: None,
) -> Tuned:
    """Learn weights for ``stages``, the first of which is the baseline, from ``rankings``.

    judgements: of these queries, found documents or not. how: by default ``Tuning()``. progress: called with the
    queries that are done. Raises ConfigError as ``ready``, InputError when there is too little to learn from.
    """
    output, how = Path(output), how or Tuning()
    start = ready(stages, output, sets)
    leaks, left_out = LeakReport(), Counter[str]()
    own_judged = (_ungraded(ranking) for ranking in rankings if ranking.query.id in judgements)
    kept = without_leaks(
        with_grades(own_judged, judgements), {held.name: [r.query for r in held.rankings] for held in sets}, leaks
    )
    judged = list(_usable(_asked(start, _once(kept, left_out), progress), left_out))
    if leaks.count and not judged and not left_out:
        raise InputError(all_asked(leaks))
    found = fit(judged, strength=how.strength)
    done = replace(start, weights=found.weights)
    own = _on_themselves(start.names[0], judged, judgements, how)
    base = Mixture(start.stages[:1], start.names[:1], {start.names[0]: 1.0})
    before, after = (limited(stage, on_error="raise") for stage in (base, done))  # a failed query would count as 0
    held = gate(before, after, sets, measure=how.measure, margin=how.margin) if sets else None
    most = max(len(one.ranking.candidates) for one in judged)
    left_out += Counter({f"query of {name}": count for name, count in leaks.found.items()})
    tuned = Tuned(found, own, None if held is None else replace(held, baseline=start.names[0]), dict(left_out), most)
    write_tuned(output, stages, tuned, done, inputs or {}, licence, how.strength, how.folds)
    return tuned


def ready(stages: Sequence[str | Mapping[str, Any]], output: Path, sets: Sequence[HeldOut] = ()) -> Mixture:
    """The stages, each with weight 1. Raises ConfigError for what can be seen to be wrong before anything is asked, a
    folder that holds something among it."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ConfigError(f"{output} exists already; give a new or an empty folder")
    if sets:
        check_sets(sets)
    if isinstance(stages, (str, Mapping)):
        raise ConfigError(f"stages={stages!r}: expected a list of methods")
    return limited(mixture(stages=placed(stages)), on_error="unscored")  # type: ignore[return-value]


def _asked(start: Mixture, rankings: Iterable[Ranking], progress: Callable[[int], None]) -> Iterator[Judged]:
    """Every query with its columns; the stages are asked once."""
    source, count = iter(rankings), 0
    while batch := list(islice(source, BATCH)):
        yield from map(Judged, batch, columns(batch, start.names, start.stages))
        count += len(batch)
        progress(count)


def _ungraded(ranking: Ranking) -> Ranking:
    """Without grades that came with the documents: they may mean something else than the judgements."""
    kept = []
    for candidate in ranking.candidates:
        rest = {name: value for name, value in candidate.document.metadata.items() if name != GRADE}
        kept.append(replace(candidate, document=replace(candidate.document, metadata=rest)))
    return replace(ranking, candidates=tuple(kept))


def _once(rankings: Iterable[Ranking], left_out: Counter[str]) -> Iterator[Ranking]:
    """Each query once: a repeated one would count twice, and look like evidence."""
    known: set[str] = set()
    for ranking in rankings:
        text = same(ranking.query.text)
        if text in known:
            left_out["asked twice"] += 1
        else:
            yield ranking
        known |= {text} if text else set()


def _usable(judged: Iterable[Judged], left_out: Counter[str]) -> Iterator[Judged]:
    """Those that every stage scored: a baseline that failed is not what a mixture should be compared with."""
    why: dict[str, str] = {}
    for one in judged:
        silent = [name for name, ranking in one.columns.items() if ranking.status == "unscored"]
        if silent:
            example = f"not scored by {silent[0]} (such as {one.ranking.query.id!r}: {one.columns[silent[0]].reason})"
            left_out[why.setdefault(silent[0], example)] += 1
        else:
            yield one


@dataclass(frozen=True)
class _Known(Stage):
    """Results that are there already."""

    results: Mapping[str, Ranking]

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        return [self.results[ranking.query.id].top(k) for ranking in rankings]


def _on_themselves(base: str, judged: Sequence[Judged], judgements: Grades, how: Tuning) -> Verdict:
    """The gate on the queries that are learned from, by weights that do not know the query they rank."""
    asked = tuple(one.ranking for one in judged)
    before = _Known({one.ranking.query.id: one.columns[base] for one in judged})
    after = _Known({r.query.id: r for r in cross_fitted(judged, strength=how.strength, folds=how.folds)})
    own = {r.query.id: judgements[r.query.id] for r in asked}
    verdict = gate(before, after, [HeldOut(OWN, asked, own)], measure=how.measure, margin=how.margin)
    return replace(verdict, baseline=base, costs={}, set_costs={})  # nothing was asked here
