"""compare: paired differences between runs, with tests, intervals and the queries that changed most.

Every p value of one comparison (runs times measures) is corrected together: who looks at six measures has made six
tests per run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any, Literal, get_args

from ..core.errors import ConfigError, InputError, UnknownName
from ..measures import DEFAULT_MEASURES
from .evaluation import Measures, evaluate_runs
from .judgements import QrelsLike
from .result import Evaluation
from .runs import RunLike

Test = Literal["t", "permutation", "wilcoxon"]
Correction = Literal["holm", "bonferroni", "bh", "none"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One run minus the baseline on one measure, over all judged queries.

    low, high: bootstrap interval of the mean difference. p: of the paired test. p_corrected: for all tests of the
    comparison. wins, ties, losses: queries. effect_size: mean difference in standard deviations of the differences
    (Cohen's d_z; infinite when every query differs by the same). changed: (query, difference), largest first.
    """

    run: str
    measure: str
    mean: float
    baseline_mean: float
    difference: float
    low: float
    high: float
    p: float
    p_corrected: float
    wins: int
    ties: int
    losses: int
    effect_size: float
    changed: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences to one baseline, and how they were tested. ``evaluations``: baseline first."""

    baseline: str
    queries: int
    test: Test
    correction: Correction
    confidence: float
    seed: int
    rows: tuple[Difference, ...]
    evaluations: tuple[Evaluation, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data for JSON; an infinite effect size becomes None."""
        rows = [asdict(row) for row in self.rows]
        for row in rows:
            row["effect_size"] = row["effect_size"] if math.isfinite(row["effect_size"]) else None
            row["changed"] = [{"query_id": query, "difference": d} for query, d in row["changed"]]
        said = {k: getattr(self, k) for k in ("baseline", "queries", "test", "correction", "confidence", "seed")}
        return {**said, "rows": rows, "evaluations": [e.to_dict() for e in self.evaluations]}


def compare(
    runs: Sequence[Evaluation] | Mapping[str, RunLike],
    qrels: QrelsLike | None = None,
    measures: Measures = DEFAULT_MEASURES,
    *,
    baseline: str | None = None,
    test: Test = "t",
    correction: Correction = "holm",
    confidence: float = 0.95,
    tolerance: float = 1e-9,
    changed: int = 5,
    samples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Compare every run with the baseline (its name; default: the first run), query by query.

    runs: Evaluations over the same queries and measures, or name -> run together with ``qrels`` and ``measures``.
    tolerance: differences up to it are ties. samples: of the bootstrap and the randomisation test, drawn with ``seed``.
    Raises ConfigError, InputError when the evaluations do not fit together, UnknownName for the baseline.

    >>> qrels = {"q1": {"a": 1}, "q2": {"a": 1}}
    >>> runs = {"old": {"q1": {"a": 1.0, "b": 2.0}, "q2": {"a": 1.0}}, "new": {"q1": {"a": 3.0}, "q2": {"a": 1.0}}}
    >>> row = compare(runs, qrels, "RR").rows[0]
    >>> row.run, row.difference, (row.wins, row.ties, row.losses)
    ('new', 0.25, (1, 1, 0))
    """
    from .stats import CORRECTIONS, bootstrap_interval, correct  # numpy: evaluating alone does without

    if test not in get_args(Test):
        raise UnknownName("test", test, get_args(Test))
    if correction not in CORRECTIONS:
        raise UnknownName("correction", correction, CORRECTIONS)
    base, others = _paired(_evaluated(runs, qrels, measures), baseline)
    raw = []
    for other in others:
        for measure in base.measures:
            pairs = {q: value - base.values[measure][q] for q, value in other.values[measure].items()}
            low, high = bootstrap_interval(list(pairs.values()), confidence=confidence, samples=samples, seed=seed)
            p = _p_value(list(pairs.values()), test, samples, seed)
            raw.append((other, measure, pairs, (low, high), p))
    corrected = correct([p for *_, p in raw], correction)
    rows = tuple(
        _difference(base, other, measure, pairs, interval, (p, final), tolerance, changed)
        for (other, measure, pairs, interval, p), final in zip(raw, corrected, strict=True)
    )
    queries = base.coverage.judged
    return Comparison(base.name, queries, test, correction, confidence, seed, rows, (base, *others))


def _evaluated(
    runs: Sequence[Evaluation] | Mapping[str, RunLike], qrels: QrelsLike | None, measures: Measures
) -> list[Evaluation]:
    if isinstance(runs, Mapping):
        if qrels is None:
            raise ConfigError("runs by name need qrels to be compared; give qrels, or Evaluations instead of runs")
        return evaluate_runs(runs, qrels, measures)
    if qrels is not None:
        raise ConfigError("Evaluations hold their judgements already; give qrels only together with runs by name")
    return list(runs)


def _paired(evaluations: Sequence[Evaluation], baseline: str | None) -> tuple[Evaluation, list[Evaluation]]:
    names = [e.name for e in evaluations]
    if len(evaluations) < 2 or len(set(names)) != len(names):
        raise ConfigError(f"a comparison needs at least two runs with different names; given: {names}")
    if baseline is not None and baseline not in names:
        raise UnknownName("run", baseline, names)
    if evaluations[0].coverage.judged < 2:
        raise InputError("a comparison needs at least 2 judged queries, there is 1")
    base = evaluations[0 if baseline is None else names.index(baseline)]
    for other in evaluations:
        if other.measures != base.measures:
            raise ConfigError(f"{base.name} has the measures {base.measures}, {other.name} has {other.measures}")
        if any(other.values[m].keys() != base.values[m].keys() for m in base.measures):
            raise InputError(f"{base.name} and {other.name} have different judged queries; use the same judgements")
    return base, [e for e in evaluations if e is not base]


def _p_value(differences: Sequence[float], test: Test, samples: int, seed: int) -> float:
    from .stats import permutation_test, t_test, wilcoxon_test

    if test == "t":
        return t_test(differences)
    if test == "permutation":
        return permutation_test(differences, samples=samples, seed=seed)
    return wilcoxon_test(differences)


def _difference(
    base: Evaluation,
    other: Evaluation,
    measure: str,
    pairs: Mapping[str, float],
    interval: tuple[float, float],
    p: tuple[float, float],
    tolerance: float,
    changed: int,
) -> Difference:
    values = list(pairs.values())
    moved = sorted(((q, d) for q, d in pairs.items() if abs(d) > tolerance), key=lambda pair: -abs(pair[1]))
    return Difference(
        run=other.name,
        measure=measure,
        mean=fmean(other.values[measure].values()),
        baseline_mean=fmean(base.values[measure].values()),
        difference=fmean(values),
        low=interval[0],
        high=interval[1],
        p=p[0],
        p_corrected=p[1],
        wins=sum(d > tolerance for d in values),
        ties=sum(abs(d) <= tolerance for d in values),
        losses=sum(d < -tolerance for d in values),
        effect_size=_effect_size(values),
        changed=tuple(moved[:changed]),
    )


def _effect_size(differences: Sequence[float]) -> float:
    mean = fmean(differences)
    spread = stdev(differences)
    if spread == 0.0:
        return 0.0 if mean == 0.0 else math.copysign(math.inf, mean)
    return mean / spread
