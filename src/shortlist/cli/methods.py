"""List the reranking methods: paper, parts, calls for 100 candidates, extra to install."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..check.table import MethodRow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="machine output")
    parser.add_argument("--markdown", action="store_true", help="the table of the documentation")
    parser.add_argument("--candidates", type=int, default=100, help="list length for which calls are simulated")


def run(args: argparse.Namespace) -> int:
    from ..check.table import markdown, method_rows

    rows = method_rows(args.candidates)
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
    elif args.markdown:
        print(markdown(rows), end="")
    else:
        _print(rows, args.candidates)
    return 0


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
