"""The evaluation gate: a trained model is accepted only when it is better, and nowhere much worse.

Better: over the queries of all held-out sets together the paired difference to the baseline has a bootstrap interval
above 0; what the mean of the sets says, in which a large set counts no more than a small one, is told beside it.
Nowhere much worse: no set's mean falls by more than a stated margin. Both rankings are made here, from the same
candidates, so that the costs compare too. It does not know how a model was trained.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from ..core.errors import ConfigError
from ..core.types import Candidate, Ranking, Usage
from ..data.dataset import load_dataset
from ..evaluate import Comparison, Difference, compare, evaluate
from ..evaluate.stats import bootstrap_interval_of_sets
from ..formats.features import grade_of
from ..formats.graded import Grades, grades
from ..pipeline import Stage
from .verdict import BALANCED, POOLED, Balanced, Cost, Verdict

OLD, NEW = "baseline", "new"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A set that was not trained on: candidates in first-stage order, and judgements."""

    name: str
    rankings: tuple[Ranking, ...]
    grades: Grades


@dataclass(frozen=True)
class Unchanged(Stage):
    """The first stage itself, as a baseline."""

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        return [ranking.top(k) for ranking in rankings]


def gate(
    baseline: Stage,
    new: Stage,
    sets: Sequence[HeldOut],
    *,
    measure: str = "nDCG@10",
    margin: float = 0.01,
    confidence: float = 0.95,
    seed: int = 0,
) -> Verdict:
    """Rank every set with both stages and compare. margin: how far a set's mean may fall, in the measure's unit.

    Raises ConfigError as ``check_sets``, or for a margin below 0.
    """
    check_sets(sets)
    if margin < 0:
        raise ConfigError(f"margin={margin}: expected 0 or more")
    options: dict[str, Any] = {"confidence": confidence, "seed": seed}
    results: dict[str, dict[str, list[Ranking]]] = {}
    costs: dict[str, Cost] = {}
    set_costs: dict[str, dict[str, Cost]] = {held.name: {} for held in sets}
    for label, stage in ((OLD, baseline), (NEW, new)):
        results[label] = {}
        for number, held in enumerate(sets):
            ranked, cost = _timed(stage, held.rankings, apart=number == 0)
            results[label][held.name], set_costs[held.name][label] = ranked, cost
            costs[label] = costs[label] + cost if number else cost
    rows: list[tuple[str, Difference]] = []
    found: list[Comparison] = []
    gains: dict[str, float] = {}
    for held in sets:
        runs = {label: results[label][held.name] for label in (OLD, NEW)}
        if len(held.grades) > 1:
            found.append(compare(runs, held.grades, measure, **options))
            rows.append((held.name, found[-1].rows[0]))
            gains[held.name] = rows[-1][1].difference
        elif held.grades:  # one query has no interval, but it can fall
            before, after = (next(iter(evaluate(runs[label], held.grades, measure).means.values())) for label in runs)
            gains[held.name] = after - before
    pooled = {label: [r for held in sets for r in _named(held.name, results[label][held.name])] for label in (OLD, NEW)}
    judged = {f"{held.name}/{query}": docs for held in sets for query, docs in held.grades.items()}
    whole = compare(pooled, judged, measure, **options).rows[0]
    reasons = [f"{name} falls by {-gain:.4f}, more than {margin:g}" for name, gain in gains.items() if gain < -margin]
    if whole.low <= 0:
        reasons.insert(0, f"the interval of {POOLED}, {whole.low:+.4f}..{whole.high:+.4f}, is not above 0")
    return Verdict(
        not reasons, tuple(reasons), measure, margin, confidence, (*rows, (POOLED, whole)), costs, set_costs,
        balanced=_balanced(found, confidence, seed),
    )  # fmt: skip


def _balanced(found: Sequence[Comparison], confidence: float, seed: int) -> Balanced | None:
    """The mean of the sets' differences; None for fewer than two sets."""
    if len(found) < 2:
        return None
    changes = []
    for one in found:
        before, after = (list(next(iter(e.values.values())).items()) for e in one.evaluations)
        changes.append([dict(after)[query] - value for query, value in before])
    low, high = bootstrap_interval_of_sets(changes, confidence=confidence, seed=seed)
    old, new = (fmean(getattr(one.rows[0], name) for one in found) for name in ("baseline_mean", "mean"))
    return Balanced(len(found), old, new, low, high)


def check_sets(sets: Sequence[HeldOut]) -> None:
    """Raises ConfigError without sets, for two of one name or with the same questions and judgements, and for fewer
    than two judged queries in all."""
    names = [held.name for held in sets]
    own = {POOLED, BALANCED}
    if not sets or len(set(names)) != len(names) or own & set(names):
        raise ConfigError(f"the gate needs held-out sets with different names, none of {sorted(own)}; given: {names}")
    for number, held in enumerate(sets):
        for other in sets[:number]:
            if held.grades and held.grades == other.grades and _asked(held) == _asked(other):
                raise ConfigError(f"{other.name} and {held.name} are one set; counted twice it would look more certain")
    if sum(len(held.grades) for held in sets) < 2:
        raise ConfigError(f"the gate needs 2 judged queries or more; {', '.join(names)} have fewer")


def _asked(held: HeldOut) -> dict[str, str]:
    return {ranking.query.id: ranking.query.text for ranking in held.rankings}


def held_out_folder(folder: str | Path, *, depth: int = 100, split: str | None = None) -> HeldOut:
    """A BEIR folder; its own first stage where it has one, else BM25."""
    from ..retrieve.bm25 import BM25

    dataset = load_dataset(folder)
    judged = dataset.judged(split)
    if dataset.first_stages:
        found = [r for r in dataset.rankings(depth=depth) if r.query.id in judged]
    else:
        found = BM25(documents=dataset.corpus).retrieve(list(judged.values()), k=depth)
    return HeldOut(dataset.name, tuple(found), grades(dataset.qrels(split)))


def held_out(name: str, samples: Sequence[Ranking]) -> HeldOut:
    """Training samples as a held-out set: first-stage order, no scores, their grades as judgements."""
    rankings, judged = [], {}
    for ranking in samples:
        rows = [(i if c.first_rank is None else c.first_rank, c) for i, c in enumerate(ranking.candidates)]
        ordered = [c for _, c in sorted(rows, key=lambda row: row[0])]
        rankings.append(Ranking(ranking.query, tuple(Candidate(c.document, c.first_score) for c in ordered)))
        known = {c.id: int(grade) for c in ordered if (grade := grade_of(c)) is not None}
        if known:
            judged[ranking.query.id] = known
    return HeldOut(name, tuple(rankings), judged)


def _named(name: str, rankings: Sequence[Ranking]) -> list[Ranking]:
    return [replace(r, query=replace(r.query, id=f"{name}/{r.query.id}")) for r in rankings]


def _timed(stage: Stage, rankings: Sequence[Ranking], *, apart: bool) -> tuple[list[Ranking], Cost]:
    """What the stage makes of the rankings, and what it took. apart: the first one is ranked and timed alone."""
    began = time.monotonic()
    ranked = stage.apply(rankings[:1]) if apart else []
    first = time.monotonic() - began if apart else 0.0
    ranked += stage.apply(rankings[len(ranked) :]) if len(rankings) > len(ranked) else []
    usage = sum((ranking.usage for ranking in ranked), Usage())
    return ranked, Cost(len(ranked), usage.calls, usage.tokens, round(time.monotonic() - began, 6), round(first, 6))
