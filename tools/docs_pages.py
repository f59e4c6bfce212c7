"""Tables of the documentation that are made from the code: methods, commands, formats, schedules, readouts, quality.

    python tools/docs_pages.py        # put fresh tables into README.md and the pages that keep theirs
    mkdocs build                      # this file is a hook there (mkdocs.yml) and fills the markers of every page

A marker is the line ``<!-- generated: NAME -->``. In README.md and pages that people read in the repository the table
stands between it and ``<!-- end -->``; a test keeps it fresh. Numbers of quality come from benchmarks/results only.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MARKER = re.compile(r"^<!-- generated: ([\w-]+) -->$", re.M)
FILLED = re.compile(r"^(<!-- generated: ([\w-]+) -->)\n.*?^(<!-- end -->)$", re.M | re.S)
WIDTH = "100"  # of the help texts
PARADIGMS = ("pointwise", "pairwise", "setwise", "listwise", "attention", "reasoning", "chains")
_TITLES = {
    "pointwise": "pointwise",
    "pairwise": "pairwise",
    "setwise": "setwise",
    "listwise": "listwise",
    "attention": "lists read by attention, vectors or a head",
    "reasoning": "reasoning",
    "chains": "cascades, fallbacks, mixtures, services",
}
THOUGHTS = 512  # tokens of an answer from which on a method is one that reasons


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |" for cells in lines)


def methods() -> str:
    """What ``shortlist methods --markdown`` prints."""
    from shortlist.check.table import markdown, method_rows

    return markdown(method_rows()).rstrip("\n")


def paradigms() -> dict[str, list[str]]:
    """The pages of docs/methods and the methods that each is about; every registered method stands on one."""
    from shortlist.check.registered import registered
    from shortlist.core.registry import RERANKERS

    found: dict[str, list[str]] = {name: [] for name in PARADIGMS}
    built = {method.name: method.build() for method in registered()}
    for name in RERANKERS.names():
        found[_paradigm(RERANKERS.info(name).paradigm, built.get(name))].append(name)
    return found


def _paradigm(said: str, built: Any) -> str:
    from shortlist.drive import Scheduled
    from shortlist.prompts import Template

    if said in ("cascade", "fallback", "service") or not isinstance(built, Scheduled):
        return "chains"
    prompt = getattr(built.scorer, "prompt", None)
    template = getattr(prompt, "template", prompt)
    written = isinstance(template, Template) and getattr(built.scorer, "backend", None) is not None
    if written and template.max_tokens >= THOUGHTS:
        return "reasoning"
    if said in ("pointwise", "pairwise", "setwise"):
        return said
    reads = written and template.answer in ("permutation", "labels", "pick")
    return "listwise" if reads else "attention"


def families() -> str:
    """The registered methods by kind, each kind with its page: the short table of the README."""
    from shortlist.check.table import method_rows

    rows = {row.name: row for row in method_rows()}
    lines = []
    for page, names in paradigms().items():
        calls = sorted({int(cell) for name in names if (cell := rows[name].cells()[3]).isdecimal()})
        span = "-" if not calls else f"{calls[0]:,}" if len(calls) == 1 else f"{calls[0]:,} to {calls[-1]:,}"
        shown = ", ".join(f"`{name}`" for name in names)
        lines.append((f"[{_TITLES[page]}](docs/methods/{page}.md)", shown, span))
    return table(("kind", "methods", "calls"), lines)


def methods_of(page: str) -> str:
    """The methods of one page of docs/methods."""
    from shortlist.check.table import method_rows

    rows = []
    for row in method_rows():
        if row.name in paradigms()[page]:
            name, _, parts, calls, steps, extra, what, source = row.cells()
            rows.append((f"`{name}`", what, parts, calls, steps, extra, source))
    return table(("method", "what it is", "parts", "calls", "steps", "extra", "source"), rows)


def choose() -> str:
    """What ``shortlist methods --cost --markdown`` prints."""
    from shortlist.check.costs import cost_rows, markdown

    return markdown(cost_rows()).rstrip("\n")


def commands() -> str:
    """Every command with its full help."""
    from shortlist import cli

    os.environ["COLUMNS"] = WIDTH
    parts = []
    for name in cli.commands():
        module = importlib.import_module(f"shortlist.cli.{name.replace('-', '_')}")
        doc = inspect.getdoc(module) or ""
        parts += [f"## shortlist {name}", doc, f"```text\n{parser(name).format_help().rstrip()}\n```"]
    return "\n\n".join(parts)


def parser(name: str) -> argparse.ArgumentParser:
    """The parser of one command, as the command line builds it."""
    module = importlib.import_module(f"shortlist.cli.{name.replace('-', '_')}")
    made = argparse.ArgumentParser(
        prog=f"shortlist {name}",
        description=(inspect.getdoc(module) or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    module.add_arguments(made)
    return made


def formats() -> str:
    """Every file format by kind: name, what it is, what it can hold."""
    from shortlist.formats.reading import dialect, names

    parts = []
    for kind in ("rankings", "qrels", "queries", "corpus"):
        rows = []
        for name in names(kind):
            module = dialect(name)
            endings = ", ".join(f"`{suffix}`" for suffix in getattr(module, "suffixes", ()))
            rows.append((f"`{name}`", _first_paragraph(module), ", ".join(sorted(module.holds)), endings))
        parts += [f"**{kind}**", table(("format", "what it is", "what it holds", "default for"), rows)]
    return "\n\n".join(parts)


def schedules() -> str:
    """Every schedule that needs no other one: what it asks of a scorer, and its cost for 100 documents."""
    from shortlist import schedules as package
    from shortlist.drive.simulate import cost

    rows = []
    for name in package.__all__:
        made = getattr(package, name)
        if any(p.default is p.empty for p in inspect.signature(made).parameters.values()):
            continue
        schedule = made()
        spent = cost(schedule)
        exact = schedule.exact_top(100)
        rows.append(
            (
                f"`{schedule!r}`",
                f"{spent.calls:.1f}".removesuffix(".0"),
                f"{spent.steps:.1f}".removesuffix(".0"),
                f"{spent.documents:.0f}",
                str(spent.largest_group),
                "all" if exact == 100 else str(exact),
                "across" if schedule.needs_across else "within",
            )
        )
    heads = ("schedule", "calls", "steps", "documents shown", "largest group", "exact ranks", "scores compared")
    return table(heads, rows)


def readouts() -> str:
    """Every readout: what it needs of a backend, and what its scores are."""
    from shortlist import readouts as package

    rows = []
    for name in package.__all__:
        made = getattr(package, name)
        what = (inspect.getdoc(made) or "").partition("\n")[0]
        if any(p.default is p.empty for p in inspect.signature(made).parameters.values()):
            rows.append((f"`{name}`", what, "as its inner readout", "as its inner readout", "as its inner readout"))
            continue
        readout = made()
        needs = ", ".join(sorted(readout.requires))
        rows.append((f"`{name}`", what, needs, str(readout.scale), readout.comparable))
    return table(("readout", "what it reads", "needs", "scale", "comparable"), rows)


def quality() -> str:
    """nDCG@10 of both shipped models on every set in benchmarks/results, first stage and ceiling beside them."""
    results = ROOT / "benchmarks" / "results"
    default, fast = (
        {row["set"]: row for row in json.loads((results / name).read_text(encoding="utf-8"))["rows"]}
        for name in ("late_interaction.json", "late_interaction_fast.json")
    )
    rows = []
    for name, row in default.items():
        gain = row["late-interaction"] - row["BM25"]
        figures = (f"{row['BM25']:.3f}", f"{row['late-interaction']:.3f}", f"{gain:+.3f}")
        smaller = f"{fast[name]['late-interaction']:.3f}" if name in fast else ""
        rows.append((name, str(row["queries"]), *figures, smaller, f"{row['ceiling']:.3f}"))
    return table(("set", "queries", "BM25 (first stage)", "reranked", "difference", "fast model", "ceiling"), rows)


def tuned() -> str:
    """What weights learned from own queries gain, by set, from benchmarks/results."""
    path = ROOT / "benchmarks" / "results" / "tune.json"
    shown = (
        "set", "queries", "late interaction", "tuned", "difference", "interval", "from 25", "from 50", "from 100",
        "others' weights",
    )  # fmt: skip
    rows = [tuple(str(row[name]) for name in shown) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]
    return table(shown, rows)


def speed() -> str:
    """CPU seconds for 100 pairs with the same cross-encoder weights, by tool, from benchmarks/results."""
    path = ROOT / "benchmarks" / "results" / "cross_encoder.json"
    rows = []
    for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
        if "OpenVINO" in row["tool"]:  # an extra; the linked file has it
            continue
        seconds, ratio = f"{row['cpu_seconds_per_100']:.2f}", f"{row['ratio']:.1f} x"
        rows.append((row["tool"], seconds, ratio, f"{row['largest_difference']:.1g}"))
    return table(("tool", "CPU seconds per 100 pairs", "speed", "largest difference of a score"), rows)


def results() -> str:
    """Every file of benchmarks/results, its headings one level down."""
    parts = []
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.md")):
        text = re.sub(r"^(#+) ", r"#\1 ", path.read_text(encoding="utf-8").strip(), flags=re.M)
        parts.append(f"{text}\n\n(`benchmarks/results/{path.name}`)")
    return "\n\n".join(parts)


def _first_paragraph(module: object) -> str:
    return " ".join((inspect.getdoc(module) or "").partition("\n\n")[0].split())


GENERATED: dict[str, Callable[[], str]] = {
    "methods": methods,
    "families": families,
    "choose": choose,
    **{f"methods-{page}": partial(methods_of, page) for page in PARADIGMS},
    "commands": commands,
    "formats": formats,
    "schedules": schedules,
    "readouts": readouts,
    "quality": quality,
    "tuned": tuned,
    "speed": speed,
    "results": results,
}


def filled(text: str) -> str:
    """A page with all its markers replaced, for the site."""
    text = FILLED.sub(r"\1", text)
    return MARKER.sub(lambda found: GENERATED[found[1]](), text)


def refreshed(text: str) -> str:
    """A file whose tables stand between a marker and ``<!-- end -->``, with fresh tables."""
    return FILLED.sub(lambda found: f"{found[1]}\n{GENERATED[found[2]]()}\n{found[3]}", text)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for every page."""
    return filled(markdown)


def kept() -> list[Path]:
    """The files whose tables stand in the repository, where people read them without building the site."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in pages if FILLED.search(page.read_text(encoding="utf-8"))]


def main() -> None:
    for page in kept():
        page.write_text(refreshed(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
