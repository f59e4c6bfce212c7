"""The record of a training (``metrics.jsonl``) as curves, grouped into the panels of a report.

A column whose name begins with ``loss``, ``dev_`` or ``reward`` joins its panel; a column that belongs nowhere gets a
panel of its own. It knows neither pages nor pictures.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """points: (update, value) by update; a value may be NaN or infinite, which is not drawn."""

    name: str
    points: Points

    @property
    def finite(self) -> Points:
        return tuple(point for point in self.points if drawable(point[1]))

    def said(self) -> str:
        """The curve in words.

        >>> Curve("loss", ((1, 0.5), (2, float("nan")), (3, 0.25))).said()
        'loss: 3 points, from 0.5 at update 1 to 0.25 at update 3, lowest 0.25, highest 0.5, 1 not finite'
        """
        drawn = self.finite
        missing = len(self.points) - len(drawn)
        lost = f", {missing} not finite" if missing else ""
        count = f"{self.name}: {len(self.points)} point{'s' * (len(self.points) != 1)}"
        if not drawn:
            return f"{count}{lost}"
        values = [value for _, value in drawn]
        (first, begin), (last, end) = drawn[0], drawn[-1]
        if len(drawn) == 1:
            return f"{count}, {begin:.4g} at update {first:g}{lost}"
        return (
            f"{count}, from {begin:.4g} at update {first:g} to {end:.4g} at update {last:g}, lowest {min(values):.4g}, "
            f"highest {max(values):.4g}{lost}"
        )


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. name: for files. unit: the label of the y axis."""

    name: str
    title: str
    unit: str
    curves: tuple[Curve, ...]

    @property
    def empty(self) -> bool:
        return not any(curve.finite for curve in self.curves)

    def said(self) -> str:
        """All curves in words."""
        return "; ".join(curve.said() for curve in self.curves) or "nothing was recorded"


def drawable(value: float) -> bool:
    """A number for which a picture has room."""
    return math.isfinite(value) and abs(value) < 1e100


def read_record(path: Path) -> list[dict[str, float]]:
    """The lines of ``metrics.jsonl`` with their numbers; torn lines are passed over, as is a file that is missing."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and _number(row.get("step")):
            rows.append({name: float(value) for name, value in row.items() if _number(value)})
    return rows


def panels(rows: Sequence[Mapping[str, float]]) -> list[Panel]:
    """Loss first, always; then what there is of reward, dev measure, learning rate, gradient norm, and the rest."""
    curves = _curves(rows)
    found: list[Panel] = []
    for name, title, unit, belongs in _PANELS:
        own = tuple(curve for curve in curves if belongs(curve.name))
        curves = [curve for curve in curves if curve not in own]
        if own or name == "loss":
            measure = own[0].name.removeprefix("dev_") if name == "dev" else ""
            found.append(Panel(name, f"{title}: {measure}" if measure else title, unit, own))
    return [*found, *(Panel(_file(c.name), c.name, c.name, (c,)) for c in curves)]


def thinned(points: Points, most: int = 400) -> Points:
    """At most about ``most`` points: of each stretch the lowest and the highest, and the first and last of all.

    >>> len(thinned(tuple((i, i % 7) for i in range(10_000)), 100)) <= 102
    True
    """
    if len(points) <= most:
        return points
    size = math.ceil(len(points) / (most // 2))
    kept = {0, len(points) - 1}
    for start in range(0, len(points), size):
        stretch = range(start, min(start + size, len(points)))
        kept |= {min(stretch, key=lambda i: points[i][1]), max(stretch, key=lambda i: points[i][1])}
    return tuple(points[i] for i in sorted(kept))


def _curves(rows: Sequence[Mapping[str, float]]) -> list[Curve]:
    names = dict.fromkeys(name for row in rows for name in row if name != "step")
    made = []
    for name in names:
        points = {row["step"]: row[name] for row in rows if name in row}  # of a step that stands twice the later line
        made.append(Curve(name, tuple(sorted(points.items()))))
    return made


def _begins(*beginnings: str) -> Callable[[str], bool]:
    return lambda name: name.startswith(beginnings)


_PANELS: tuple[tuple[str, str, str, Callable[[str], bool]], ...] = (
    ("loss", "Loss", "loss, mean since the last report", lambda name: name == "loss" or name.startswith("loss_")),
    ("reward", "Reward", "reward, mean over answers", _begins("reward")),
    ("dev", "Dev measure", "measure, 0 to 1", _begins("dev_")),
    ("learning_rate", "Learning rate", "learning rate", lambda name: name == "learning_rate"),
    ("grad_norm", "Gradient norm", "L2 norm before clipping", lambda name: name == "grad_norm"),
)


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _file(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)
