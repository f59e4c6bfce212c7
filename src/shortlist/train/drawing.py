"""A panel as an SVG picture for a web page, and as a PNG file where matplotlib is installed.

The SVG is drawn here, needs nothing but a browser, and says in words what it shows. Curves differ by dashes and marks,
not by colour alone. What is not finite leaves a gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..core.extras import need
from ..formats.atomic import atomic_bytes
from .curves import Curve, Panel, Points, drawable, thinned

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 78, 16, 14, 48
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7a5c00", "#56b4e9", "#444444")  # Okabe and Ito 2008, darkened
DASHES = ("", "7 3", "2 3", "9 3 2 3")
FEW = 30  # points, up to which each gets a mark


def svg(panel: Panel, ident: str) -> str:
    """An ``<svg>`` with a title and a description; ident: unique on the page."""
    label = f'role="img" aria-labelledby="{ident}-t {ident}-d" viewBox="0 0 {WIDTH} {HEIGHT}"'
    head = (
        f'<svg {label}><title id="{ident}-t">{escape(panel.title)}</title>'
        f'<desc id="{ident}-d">{escape(panel.said())}</desc>'
    )
    if panel.empty:
        return f'{head}<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">nothing to draw</text></svg>'
    drawn = [point for curve in panel.curves for point in curve.finite]
    across = _span([x for x, _ in drawn])
    up = _span([y for _, y in drawn])
    parts = [head, *_axes(across, up, panel.unit)]
    for number, curve in enumerate(panel.curves):
        parts += _line(curve, number, across, up)
    return "".join([*parts, "</svg>"])


def style(number: int) -> tuple[str, str]:
    """Colour and dashes of a curve."""
    return COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most about ``most``.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    rough = (high - low) / max(most - 1, 1)
    if not math.isfinite(rough) or rough <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((f * power for f in (1, 2, 2.5, 5, 10) if f * power >= rough * (1 - 1e-9)), 10 * power)
    if step == 0 or low + step == low:
        return [low, high]
    first = math.ceil(low / step - 1e-9)
    return [float(f"{(first + i) * step:.12g}") for i in range(int((high - first * step) / step + 1e-9) + 1)]


def png(panel: Panel, path: Path) -> None:
    """The panel as a picture file. Raises MissingExtra without matplotlib."""
    figures = need("matplotlib>=3.8", extra="plots", module="matplotlib.figure")
    figure = figures.Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    for number, curve in enumerate(panel.curves):
        colour, dashes = style(number)
        pattern = [float(part) / 1.5 for part in dashes.split()]
        few = len(curve.points) <= FEW
        xs = [x for x, _ in curve.points]
        ys = [y if drawable(y) else math.nan for _, y in curve.points]
        axes.plot(
            xs, ys, color=colour, linestyle=(0, pattern) if pattern else "-", marker="o" if few else None,
            markersize=4, label=curve.name,
        )  # fmt: skip
    if panel.empty:
        axes.text(0.5, 0.5, "nothing to draw", transform=axes.transAxes, ha="center", va="center")
    if len(panel.curves) > 1:
        figure.legend(loc="outside lower center", ncols=3, fontsize="small")
    axes.set(title=panel.title, xlabel="update", ylabel=panel.unit)
    axes.grid(alpha=0.3)
    with atomic_bytes(path) as file:
        figure.savefig(file, format="png", metadata={"Title": panel.title, "Description": panel.said()})


def _span(values: Sequence[float]) -> tuple[float, float]:
    """From lowest to highest; around a single value there is room."""
    low, high = min(values), max(values)
    if high - low > 1e-9 * max(abs(low), abs(high)):
        return low, high
    room = abs(low) * 0.1 or 1.0
    return low - room, high + room


def _x(value: float, span: tuple[float, float]) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - span[0]) / (span[1] - span[0])


def _y(value: float, span: tuple[float, float]) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - span[0]) / (span[1] - span[0])


def _axes(across: tuple[float, float], up: tuple[float, float], unit: str) -> list[str]:
    parts = []
    bottom = HEIGHT - BOTTOM
    for tick in ticks(*up):
        y = _y(tick, up)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:.4g}</text>')
    for tick in (tick for tick in ticks(*across) if tick == int(tick)):  # there is no half update
        x = _x(tick, across)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:.6g}</text>')
    middle = (TOP + bottom) / 2
    parts += [
        f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{bottom - TOP}"/>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">update</text>',
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(unit)}</text>',
    ]
    return parts


def _line(curve: Curve, number: int, across: tuple[float, float], up: tuple[float, float]) -> list[str]:
    colour, dashes = style(number)
    parts = []
    for stretch in _stretches(curve.points):
        places = [f"{_x(x, across):.1f},{_y(y, up):.1f}" for x, y in thinned(stretch)]
        parts.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" stroke-dasharray="{dashes or "none"}" '
            f'points="{" ".join(places)}"/>'
        )
        if len(curve.points) <= FEW or len(stretch) == 1:
            parts += [f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="3" fill="{colour}"/>' for p in places]
    return parts


def _stretches(points: Points) -> list[Points]:
    """The parts between values that are not finite."""
    found: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if drawable(point[1]):
            found[-1].append(point)
        elif found[-1]:
            found.append([])
    return [tuple(part) for part in found if part]
