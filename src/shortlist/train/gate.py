"""The evaluation gate: a trained model is accepted only when it is better, and nowhere much worse.

Better: over the queries of all held-out sets together the paired difference to the baseline has a bootstrap interval
above 0. Nowhere much worse: no set's mean falls by more than a stated margin. Both rankings are made here, from the
same candidates, so that the costs compare too. It does not know how a model was trained.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..core.types import Candidate, Ranking, Usage
from ..data.dataset import load_dataset
from ..evaluate import Difference, compare, evaluate
from ..formats.features import grade_of
from ..formats.graded import Grades, grades
from ..pipeline import Stage

POOLED = "all queries"
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


@dataclass(frozen=True, slots=True)
class Cost:
    """What ranking took. seconds: wall-clock, of this machine. first: the part of them before the first query was
    ranked, in which models are loaded; 0 for a set that is not the first."""

    queries: int
    calls: int
    tokens: int
    seconds: float
    first: float = 0.0

    @property
    def tokens_per_query(self) -> float:
        return self.tokens / max(self.queries, 1)

    @property
    def seconds_per_query(self) -> float:
        """Without the first query, where one was timed apart and others followed."""
        apart = int(self.first > 0 and self.queries > 1)
        return (self.seconds - self.first * apart) / max(self.queries - apart, 1)

    def __add__(self, other: Cost) -> Cost:
        counts = (self.queries + other.queries, self.calls + other.calls, self.tokens + other.tokens)
        return Cost(*counts, round(self.seconds + other.seconds, 3), self.first or other.first)

    def to_dict(self) -> dict[str, float]:
        """Plain data for JSON, with the figures per query."""
        each = {"tokens_per_query": self.tokens_per_query, "seconds_per_query": round(self.seconds_per_query, 6)}
        return {**asdict(self), **each}


@dataclass(frozen=True, slots=True)
class Verdict:
    """accepted, and why not when it is not. rows: one per set of two or more queries, then ``all queries`` together.
    costs: of ``baseline`` and ``new`` over all sets; set_costs: of each set. baseline: what it was compared with, in
    words; may be empty."""

    accepted: bool
    reasons: tuple[str, ...]
    measure: str
    margin: float
    confidence: float
    rows: tuple[tuple[str, Difference], ...]
    costs: Mapping[str, Cost]
    set_costs: Mapping[str, Mapping[str, Cost]] = field(default_factory=dict)
    baseline: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        keep = ("baseline_mean", "mean", "difference", "low", "high", "p", "wins", "ties", "losses")
        rows = [{"set": name, **{k: getattr(row, k) for k in keep}} for name, row in self.rows]
        said = {k: getattr(self, k) for k in ("accepted", "reasons", "measure", "margin", "confidence", "baseline")}
        for row in rows:
            row["costs"] = _plain(self.costs if row["set"] == POOLED else self.set_costs.get(row["set"], {}))
        return {**said, "rows": rows, "costs": _plain(self.costs)}

    def markdown(self) -> str:
        """The same as a page."""
        verdict = "accepted" if self.accepted else "not accepted: " + "; ".join(self.reasons)
        lines = [
            f"# Evaluation gate: {verdict}", "",
            f"{self.measure}, paired by query; interval: bootstrap, {self.confidence:.0%}. Accepted when the interval "
            f"of {POOLED} is above 0 and no set falls by more than {self.margin:g}."
            + (f" Before: {self.baseline}." if self.baseline else ""), "",
            "| set | queries | before | after | difference | interval | win / tie / loss |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]  # fmt: skip
        for name, row in self.rows:
            count = row.wins + row.ties + row.losses
            lines.append(
                f"| {name} | {count} | {row.baseline_mean:.4f} | {row.mean:.4f} | {row.difference:+.4f} "
                f"| {row.low:+.4f}..{row.high:+.4f} | {row.wins} / {row.ties} / {row.losses} |"
            )
        lines += [
            "", "| set | cost of | queries | calls | tokens | seconds | tokens per query | ms per query |",
            "|---|---|---:|---:|---:|---:|---:|---:|",
        ]  # fmt: skip
        for place, costs in (*self.set_costs.items(), (POOLED, self.costs)):
            lines += [
                f"| {place} | {name} | {cost.queries} | {cost.calls} | {cost.tokens} | {cost.seconds:.1f} "
                f"| {cost.tokens_per_query:.0f} | {1000 * cost.seconds_per_query:.1f} |"
                for name, cost in costs.items()
            ]
        first = ", ".join(f"{name} {cost.first:.1f} s" for name, cost in self.costs.items())
        lines += ["", f"Wall-clock of this machine; until the first query was ranked, loading included: {first}. ms "
                  "per query are those of the others."]  # fmt: skip
        return "\n".join(lines) + "\n"


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
    gains: dict[str, float] = {}
    for held in sets:
        runs = {label: results[label][held.name] for label in (OLD, NEW)}
        if len(held.grades) > 1:
            rows.append((held.name, compare(runs, held.grades, measure, **options).rows[0]))
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
    return Verdict(not reasons, tuple(reasons), measure, margin, confidence, (*rows, (POOLED, whole)), costs, set_costs)


def check_sets(sets: Sequence[HeldOut]) -> None:
    """Raises ConfigError without sets, for two of one name, and for fewer than two judged queries in all."""
    names = [held.name for held in sets]
    if not sets or len(set(names)) != len(names) or POOLED in names:
        raise ConfigError(f"the gate needs held-out sets with different names, other than {POOLED!r}; given: {names}")
    if sum(len(held.grades) for held in sets) < 2:
        raise ConfigError(f"the gate needs 2 judged queries or more; {', '.join(names)} have fewer")


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


def _plain(costs: Mapping[str, Cost]) -> dict[str, dict[str, float]]:
    return {name: cost.to_dict() for name, cost in costs.items()}
