"""What the evaluation gate found: differences per set, of all queries, of the mean of the sets, and costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..evaluate import Difference

POOLED = "all queries"
BALANCED = "mean of sets"


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
class Balanced:
    """The difference when every set counts alike, however many queries it has. sets: how many. low, high: interval."""

    sets: int
    baseline_mean: float
    mean: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        return self.mean - self.baseline_mean


@dataclass(frozen=True, slots=True)
class Verdict:
    """accepted, and why not when it is not. rows: one per set of two or more queries, then ``all queries`` together.
    balanced: the mean of the sets where there are several, told and not judged. costs: of ``baseline`` and ``new`` over
    all sets; set_costs: of each set. baseline: what it was compared with, in words; may be empty."""

    accepted: bool
    reasons: tuple[str, ...]
    measure: str
    margin: float
    confidence: float
    rows: tuple[tuple[str, Difference], ...]
    costs: Mapping[str, Cost]
    set_costs: Mapping[str, Mapping[str, Cost]] = field(default_factory=dict)
    baseline: str = ""
    balanced: Balanced | None = None

    @property
    def doubt(self) -> str:
        """What an accepted model's reader should know: that a large set decided; empty otherwise."""
        if not self.accepted or self.balanced is None or self.balanced.low > 0:
            return ""
        interval = f"{self.balanced.low:+.4f}..{self.balanced.high:+.4f}"
        return f"sets with many queries decided: the interval of the {BALANCED}, {interval}, is not above 0"

    @property
    def said(self) -> str:
        """The verdict in a sentence."""
        if not self.accepted:
            return "not accepted: " + "; ".join(self.reasons)
        return f"accepted ({self.doubt})" if self.doubt else "accepted"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        keep = ("baseline_mean", "mean", "difference", "low", "high", "p", "wins", "ties", "losses")
        rows = [{"set": name, **{k: getattr(row, k) for k in keep}} for name, row in self.rows]
        said = {k: getattr(self, k) for k in ("accepted", "reasons", "measure", "margin", "confidence", "baseline")}
        for row in rows:
            row["costs"] = _plain(self.costs if row["set"] == POOLED else self.set_costs.get(row["set"], {}))
        balanced = self.balanced and {**asdict(self.balanced), "difference": self.balanced.difference}
        return {**said, "said": self.said, "rows": rows, "balanced": balanced, "costs": _plain(self.costs)}

    def differences(self) -> list[str]:
        """The rows as lines of a table, with its head."""
        lines = [
            "| set | queries | before | after | difference | interval | win / tie / loss |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        for name, row in self.rows:
            count = row.wins + row.ties + row.losses
            lines.append(
                f"| {name} | {count} | {row.baseline_mean:.4f} | {row.mean:.4f} | {row.difference:+.4f} "
                f"| {row.low:+.4f}..{row.high:+.4f} | {row.wins} / {row.ties} / {row.losses} |"
            )
        return lines

    def markdown(self) -> str:
        """The same as a page."""
        lines = [
            f"# Evaluation gate: {self.said}", "",
            f"{self.measure}, paired by query; interval: bootstrap, {self.confidence:.0%}. Accepted when the interval "
            f"of {POOLED} is above 0 and no set falls by more than {self.margin:g}."
            + (f" Before: {self.baseline}." if self.baseline else ""), "",
            *self.differences(),
        ]  # fmt: skip
        if (mean := self.balanced) is not None:
            lines.append(
                f"| {BALANCED} | {mean.sets} sets | {mean.baseline_mean:.4f} | {mean.mean:.4f} "
                f"| {mean.difference:+.4f} | {mean.low:+.4f}..{mean.high:+.4f} | |"
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


def _plain(costs: Mapping[str, Cost]) -> dict[str, dict[str, float]]:
    return {name: cost.to_dict() for name, cost in costs.items()}
