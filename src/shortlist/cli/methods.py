"""List the reranking methods: paper, parts, calls for 100 candidates, extra to install; or tell all about one.

``shortlist methods NAME`` explains one method: its parameters with defaults and meanings, its source and its cost.
``--cost`` shows instead what each takes for a query and how well its schedule bears errors of the model, simulated:
documents shown, thousands of tokens read and written, and nDCG@10 with a judge that never errs, one that errs anew at
every look, one that errs about a document always in the same way, and one that also likes what stands first.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ._columns import fitting
from ._measured import console

if TYPE_CHECKING:
    from ..check.costs import CostRow
    from ..check.method import Method
    from ..check.table import MethodRow

NAMES = 20  # characters for the names of methods, which fold
DISPENSABLE = (6, 3, 8, 9, 7, 5, 2)  # columns of the costs that a narrow terminal goes without, the first first
READABLE = 100  # characters of a line of prose


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="only this method, with its parameters")
    parser.add_argument("--json", action="store_true", help="machine output")
    parser.add_argument("--markdown", action="store_true", help="the table of the documentation")
    parser.add_argument("--candidates", type=int, default=100, help="list length for which calls are simulated")
    parser.add_argument("--cost", action="store_true", help="what a query takes, and quality under errors, simulated")
    parser.add_argument("--passage-tokens", type=int, default=100, help="with --cost: tokens of a passage")


def run(args: argparse.Namespace) -> int:
    if args.cost:
        return _run_costs(args)
    if args.name is not None:
        return _run_one(args)
    from ..check.table import markdown, method_rows

    rows = method_rows(args.candidates)
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
    elif args.markdown:
        print(markdown(rows), end="")
    else:
        _print(rows, args.candidates)
    return 0


def _run_one(args: argparse.Namespace) -> int:
    from ..check.method import method

    found = method(args.name, args.candidates, passage_tokens=args.passage_tokens)
    if args.json:
        print(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _print_one(found, args.candidates, args.passage_tokens)
    return 0


def _run_costs(args: argparse.Namespace) -> int:
    from ..check.costs import cost_rows, markdown

    rows = cost_rows(args.candidates, passage_tokens=args.passage_tokens)
    if args.json:
        listed = [asdict(row) for row in rows if row.tried is not None]
        print(json.dumps(listed, indent=2, ensure_ascii=False))
    elif args.markdown:
        print(markdown(rows), end="")
    else:
        _print_costs(rows, args.candidates, args.passage_tokens)
    return 0


def _print_costs(rows: Sequence[CostRow], candidates: int, passage_tokens: int) -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    from ..check.costs import HEADINGS, cells, grouped

    title = (
        f"A query of {candidates} candidates of {passage_tokens} tokens, simulated. read, written: thousand tokens.\n"
        "nDCG@10 when the model errs: never, anew at every look, always in the same way, and likes what stands first."
    )
    lines = [cells(same) for same in grouped(rows)]
    headings = (HEADINGS[0], "calls", "steps", "shown", "read", "written", "never", "anew", "same", "first")
    widths = [NAMES, *(max(map(len, column)) for column in list(zip(headings, *lines, strict=True))[1:])]
    out = console()
    shown = fitting(widths, out.width, DISPENSABLE)
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(headings[0], min_width=NAMES)
    for place in shown[1:]:
        table.add_column(headings[place], justify="right", no_wrap=True)
    for line in lines:
        table.add_row(*(line[place] for place in shown))
    out.print(table)
    absent = [heading for place, heading in enumerate(headings) if place not in shown]
    if absent:
        out.print(f"not shown here: {', '.join(absent)}; a wider terminal, a pipe or --json has all columns")


def _print_one(found: Method, candidates: int, passage_tokens: int) -> None:
    lines = [*_wrapped(f"{found.name}. {found.summary}."), *_wrapped(found.about.replace("``", "`"))]
    lines += [
        "",
        f"paradigm: {found.paradigm}",
        *_wrapped(f"source: {found.source}"),
        *_wrapped(f"parts: {found.parts or 'unknown, not simulated'}"),
    ]
    extras = " or ".join(f"pip install '.[{extra}]'" for extra in found.extra.split(" or ") if extra)
    lines += [f"needs: {extras or 'nothing more'}"]
    if found.calls is not None:
        lines += _wrapped(
            f"cost of {candidates} candidates of {passage_tokens} tokens, simulated: {found.calls:,.0f} calls in "
            f"{found.steps:,.0f} steps, {found.documents:,.0f} documents shown, {found.read:,.1f} thousand tokens "
            f"read, at most {found.written:,.1f} thousand written"
        )
    lines += ["", "parameters:"]
    for p in found.parameters:
        default = "none" if p.default is None else json.dumps(p.default, ensure_ascii=False)
        kind = f"one of {', '.join(p.choices)}" if p.choices else p.type
        lines.append(f"  {_given(p.name)}  ({kind}; {'required' if p.required else f'default {default}'})")
        lines += _wrapped(p.meaning, "      ")
    print("\n".join(lines))


def _given(name: str) -> str:
    """How the parameter is given on the command line."""
    own = {"model": "--model MODEL", "options": "--option NAME=VALUE", "backend": "backend, in Python only"}
    return own.get(name, f"--param {name}=VALUE")


def _wrapped(text: str, indent: str = "") -> list[str]:
    import shutil
    import textwrap

    width = min(shutil.get_terminal_size().columns, READABLE) - len(indent)
    paragraphs = [textwrap.wrap(part, width) for part in text.split("\n\n")]
    return [indent + line for part in paragraphs for line in part]


def _print(rows: Sequence[MethodRow], candidates: int) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"Calls and sequential steps for {candidates} candidates, simulated", title_justify="left")
    for heading in ("method", "calls", "steps", "extra"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what it is")
    for row in rows:
        name, paradigm, parts, calls, steps, extra, summary, source = map(escape, row.cells())
        table.add_row(name, calls, steps, extra, f"{summary}\n[dim]{paradigm}: {parts}\n{source}[/dim]")
    console().print(table)
