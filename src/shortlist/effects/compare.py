"""Losses side by side: the same data, the same first weights, the same number of updates, several seeds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.errors import ConfigError, ScoreError
from ..core.extras import need
from ..losses import ListLoss
from ..measures import Graded, parse
from .fit import Training, fit
from .values import Architecture, Generator, Lists, Weights


@dataclass(frozen=True, slots=True)
class Comparison:
    """What each loss reached. values: name -> one number per seed. ``print`` shows a table."""

    measure: str
    seeds: tuple[int, ...]
    values: Mapping[str, tuple[float, ...]]

    def mean(self, name: str) -> float:
        """Over seeds."""
        return statistics.fmean(self.values[name])

    def lead(self, name: str, over: str) -> tuple[float, ...]:
        """How far one loss is ahead of another, seed by seed."""
        return tuple(a - b for a, b in zip(self.values[name], self.values[over], strict=True))

    def __str__(self) -> str:
        width = max(len(self.measure), *map(len, self.values))
        lines = [f"{self.measure:{width}}   mean  " + "  ".join(f"{f'#{seed}':>5}" for seed in self.seeds)]
        for name, values in self.values.items():
            lines.append(f"{name:{width}}  {self.mean(name):.3f}  " + "  ".join(f"{value:.3f}" for value in values))
        return "\n".join(lines)


def compare(
    losses: Mapping[str, ListLoss],
    generator: Generator,
    architecture: Architecture,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    training: Training | Mapping[str, Training] = Training(),  # noqa: B008
    measure: str = "nDCG@10",
) -> Comparison:
    """Train once per loss and seed, and measure on the held-out lists.

    training: for all losses, or by name where they differ. Raises ConfigError without losses or seeds, or for a name
    that ``training`` lacks.
    """
    if not losses or not seeds:
        raise ConfigError(f"{len(losses)} losses, {len(seeds)} seeds: expected at least one of each")
    plans = training if isinstance(training, Mapping) else dict.fromkeys(losses, training)
    lacking = sorted(set(losses) - set(plans))
    if lacking:
        raise ConfigError(f"training has no entry for {lacking[0]!r}; known: {', '.join(plans)}")
    found: dict[str, list[float]] = {name: [] for name in losses}
    for seed in seeds:
        sample = generator.sample(seed)
        for name, loss in losses.items():
            weights = fit(architecture, sample.train, loss, plans[name], seed=seed)
            found[name].append(measured(architecture, weights, sample.held_out, measure))
    return Comparison(measure, tuple(seeds), {name: tuple(values) for name, values in found.items()})


def measured(architecture: Architecture, weights: Weights, lists: Lists, measure: str = "nDCG@10") -> float:
    """The mean of a measure over the lists, by their grades."""
    torch = need("torch>=2.4", extra="local")
    with torch.no_grad():
        scores = architecture.scores(weights, lists.queries, lists.documents)
    return ordered(scores, lists.grades, measure)


def ordered(scores: Any, grades: Any, measure: str) -> float:
    """The mean of a measure over lists: scores and grades (lists, documents). Ties count against a student that cannot
    tell documents apart: the later one of a list, never its own, goes first. Raises ScoreError for NaN."""
    if scores.isnan().any():
        raise ScoreError(f"{int(scores.isnan().any(1).sum())} of {len(scores)} lists have NaN scores; lower the rate")
    wanted = parse(measure)
    inside = grades.flip(1).gather(1, scores.flip(1).argsort(dim=1, descending=True, stable=True)).long().tolist()
    places = tuple(range(scores.shape[1]))
    per_list = [
        wanted.compute(Graded(len(row), places, tuple(row), tuple(sorted(row, reverse=True)))) for row in inside
    ]
    return statistics.fmean(per_list)
