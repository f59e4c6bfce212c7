"""List the reranking methods: paper, parts, calls for 100 candidates, extra to install.

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

if TYPE_CHECKING:
    from ..check.costs import CostRow
    from ..check.table import MethodRow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="machine output")
    parser.add_argument("--markdown", action="store_true", help="the table of the documentation")
    parser.add_argument("--candidates", type=int, default=100, help="list length for which calls are simulated")
    parser.add_argument("--cost", action="store_true", help="what a query takes, and quality under errors, simulated")
    parser.add_argument("--passage-tokens", type=int, default=100, help="with --cost: tokens of a passage")


def run(args: argparse.Namespace) -> int:
    if args.cost:
        return _run_costs(args)
    from ..check.table import markdown, method_rows

    rows = method_rows(args.candidates)
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
    elif args.markdown:
        print(markdown(rows), end="")
    else:
        _print(rows, args.candidates)
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
    from rich.console import Console
    from rich.table import Table

    from ..check.costs import HEADINGS, cells, grouped

    title = (
        f"A query of {candidates} candidates of {passage_tokens} tokens, simulated. read, written: thousand tokens.\n"
        "nDCG@10 when the model errs: never, anew at every look, always in the same way, and likes what stands first."
    )
    table = Table(title=title, title_justify="left")
    table.add_column(HEADINGS[0], min_width=20)
    for heading in ("calls", "steps", "shown", "read", "written", "never", "anew", "same", "first"):
        table.add_column(heading, justify="right")
    for same in grouped(rows):
        table.add_row(*cells(same))
    Console().print(table)


def _print(rows: Sequence[MethodRow], candidates: int) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"Calls and sequential steps for {candidates} candidates, simulated", title_justify="left")
    for heading in ("method", "calls", "steps", "extra"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what it is")
    for row in rows:
        name, paradigm, parts, calls, steps, extra, summary, source = map(escape, row.cells())
        table.add_row(name, calls, steps, extra, f"{summary}\n[dim]{paradigm}: {parts}\n{source}[/dim]")
    Console().print(table)
