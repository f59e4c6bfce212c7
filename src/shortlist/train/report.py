"""The report of a training: one HTML file with the curves, the gate's verdict and the facts, and PNG files of curves.

It is made from the files in ``training/`` alone, so it can be made again, also while a training runs or after it was
killed. What is missing there is missing in the report. The page is whole in itself: no script, no font, no address.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..core.errors import MissingExtra
from ..formats.atomic import atomic_text
from .card import named, short, unit
from .curves import Panel, panels, read_record, thinned
from .drawing import png, style, svg
from .verdict import BALANCED

PAGE = "report.html"
PICTURES = ("loss", "reward", "dev")
ROWS = 60

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a;
  background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; } h3 { font-size: 1.05rem; }
figure { margin: 1.2rem 0 2rem; } figcaption, .legend { font-size: .9rem; color: #333; }
svg { width: 100%; height: auto; } svg text { font-size: 13px; fill: #333; }
.grid { stroke: #ddd; stroke-width: 1; } .frame { fill: none; stroke: #888; }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; }
.legend svg { width: 34px; height: 10px; vertical-align: middle; margin-right: .4rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; } caption { text-align: left; padding: .3rem 0; }
th, td { border-bottom: 1px solid #ddd; padding: .25rem .6rem; text-align: right; } th:first-child, td:first-child,
.facts td, .facts th { text-align: left; } .facts td { overflow-wrap: anywhere; }
.verdict { font-weight: 600; }
"""


@dataclass(frozen=True, slots=True)
class Report:
    """page: the HTML file. pictures: PNG files. note: why pictures are missing, and what to do; empty otherwise."""

    page: Path
    pictures: tuple[Path, ...]
    note: str


def write_report(records: Path) -> Report:
    """Write ``report.html`` and the pictures beside ``metrics.jsonl``. Pictures are left out without matplotlib."""
    shown = panels(read_record(records / "metrics.jsonl"))
    manifest, verdict = _read(records / "manifest.json"), _read(records / "gate.json")
    page = records / PAGE
    with atomic_text(page) as out:
        out.write(html(shown, manifest, verdict))
    pictures, note = _pictures(shown, records)
    return Report(page, pictures, note)


def html(shown: Sequence[Panel], manifest: Mapping[str, Any], verdict: Mapping[str, Any]) -> str:
    """The page. manifest, verdict: what ``manifest.json`` and ``gate.json`` hold; empty where there is none."""
    recipe = manifest.get("recipe", {})
    title = f"Training report: {recipe.get('name', 'unfinished training')}"
    summary = f"<p>{escape(str(recipe['summary']))}</p>" if recipe.get("summary") else ""
    body = [
        f"<h1>{escape(title)}</h1>", summary, "<h2>Evaluation gate</h2>", *_gate(verdict), "<h2>Curves</h2>",
        *(_figure(panel, f"p{number}") for number, panel in enumerate(shown)), "<h2>Facts</h2>", *_facts(manifest),
    ]  # fmt: skip
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def _figure(panel: Panel, ident: str) -> str:
    legend = "".join(_legend(number, curve.name) for number, curve in enumerate(panel.curves))
    entries = f'<ul class="legend">{legend}</ul>' if len(panel.curves) > 1 else ""
    return (
        f"<figure><h3>{escape(panel.title)}</h3>{svg(panel, ident)}{entries}<figcaption>{escape(panel.said())}."
        f"</figcaption>{_values(panel)}</figure>"
    )


def _legend(number: int, name: str) -> str:
    colour, dashes = style(number)
    look = f'stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dashes or "none"}"'
    line = f'<svg viewBox="0 0 34 10" aria-hidden="true"><line x1="0" x2="34" y1="5" y2="5" {look}/></svg>'
    return f"<li>{line}{escape(name)}</li>"


def _values(panel: Panel) -> str:
    """The curves as a table, thinned out."""
    if panel.empty:
        return ""
    known = [dict(curve.points) for curve in panel.curves]
    steps = sorted({step for table in known for step in table})
    kept = [step for step, _ in thinned(tuple((step, float(i)) for i, step in enumerate(steps)), ROWS)]
    rows = [[f"{step:g}", *("" if step not in t else f"{t[step]:.6g}" for t in known)] for step in kept]
    said = f"{len(kept)} of {len(steps)} updates that were recorded"
    table = _table(["update", *(curve.name for curve in panel.curves)], rows, f"{panel.title}: {said}")
    return f"<details><summary>Values as a table</summary>{table}</details>"


def _gate(verdict: Mapping[str, Any]) -> Iterable[str]:
    if not verdict:
        yield "<p>The model was not put through the evaluation gate.</p>"
        return
    said = verdict["said"]
    yield f'<p class="verdict">{escape(said[0].upper() + said[1:])}.</p>'
    interval = f"{verdict['confidence']:.0%} interval"
    rows = []
    for row in verdict["rows"]:
        count = row["wins"] + row["ties"] + row["losses"]
        rows.append([
            row["set"], str(count), f"{row['baseline_mean']:.4f}", f"{row['mean']:.4f}", f"{row['difference']:+.4f}",
            f"{row['low']:+.4f} to {row['high']:+.4f}", str(row["wins"]), str(row["ties"]), str(row["losses"]),
        ])  # fmt: skip
    if mean := verdict.get("balanced"):
        rows.append([
            BALANCED, f"{mean['sets']} sets", f"{mean['baseline_mean']:.4f}", f"{mean['mean']:.4f}",
            f"{mean['difference']:+.4f}", f"{mean['low']:+.4f} to {mean['high']:+.4f}", "", "", "",
        ])  # fmt: skip
    heads = ["set", "queries", "before", "after", "difference", interval, "wins", "ties", "losses"]
    caption = (
        f"{verdict['measure']}, paired by query. Accepted when the interval of all queries is above 0 and no set falls "
        f"by more than {verdict['margin']:g}." + (f" Before: {verdict['baseline']}." if verdict.get("baseline") else "")
    )
    yield _table(heads, rows, caption)
    costs = [
        [row["set"], stage, str(cost["queries"]), str(cost["calls"]), f"{cost['tokens_per_query']:.0f}",
         f"{1000 * cost['seconds_per_query']:.1f}", f"{cost['first']:.1f}"]
        for row in verdict["rows"] for stage, cost in row.get("costs", {}).items()
    ]  # fmt: skip
    heads = ["set", "cost of", "queries", "calls", "tokens per query", "ms per query", "s to the first answer"]
    yield _table(heads, costs, "What ranking cost on this machine; loading is in the time to the first answer alone.")


def _facts(manifest: Mapping[str, Any]) -> Iterable[str]:
    if not manifest:
        yield "<p>There is no manifest: the training has not ended.</p>"
        return
    recipe, trained = manifest["recipe"], manifest["trained"]
    base = manifest["base"]
    rows = [
        ["recipe", f"{recipe['name']} ({recipe.get('source') or 'no published recipe'})"],
        ["base model", f"{named(str(base['name']))} ({base['digest']})"],
        *(["data", _data(row)] for row in manifest["data"]),
        ["updates", f"{trained['updates']} of {trained['seen']} {unit(manifest)}, {trained['resumed']} of them by an "
         "earlier run"],
        ["loss, mean of the run", f"{trained['loss']:.6g}"],
        *([["weights", f"of update {trained['kept']}"]] if trained.get("looks") else []),
        *(["left out", f"{count}: {why}"] for why, count in manifest["left_out"].items()),
        *([name, short(manifest[name])] for name in ("student", "objective", "grouping", "settings", "dev", "reinforce")
          if manifest.get(name)),
        ["opens with", short(manifest["opens_with"])],
        ["versions", ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())],
    ]  # fmt: skip
    yield _table(["fact", "value"], rows, "From manifest.json.", kind="facts")


def _data(row: Mapping[str, Any]) -> str:
    return f"{named(str(row['path']))}, {row['samples']} samples, licence: {row['licence'] or 'not stated'}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str, *, kind: str = "") -> str:
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    lines = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return (
        f'<div class="scroll"><table class="{kind}"><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _pictures(shown: Sequence[Panel], records: Path) -> tuple[tuple[Path, ...], str]:
    if find_spec("matplotlib") is None:
        return (), 'no PNG files: matplotlib is not installed; get it with: pip install "shortlist[plots]"'
    made = []
    try:
        for panel in shown:
            if panel.name in PICTURES and panel.curves:
                made.append(records / f"{panel.name}.png")
                png(panel, made[-1])
    except (MissingExtra, ImportError, OSError, ValueError, RuntimeError) as error:  # the curves are in the page
        return tuple(path for path in made if path.is_file()), f"a PNG file is missing: {error}"
    return tuple(made), ""


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
