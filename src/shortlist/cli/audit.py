"""Measure how much a reranker depends on input order, identifiers, copies and planted text.

Takes the inputs and the method as `shortlist rerank` does and needs no judgements. Every query is reranked about a
dozen times, so a sample of queries and a small depth are the default.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import ConfigError
from ._job import add_budget, add_inputs, add_method, method_of, params_of, source_of, stage_of
from ._params import read_config

if TYPE_CHECKING:
    from ..check.audit import Audit
    from ..core.types import Ranking

COLUMNS = ("tau", "overlap", "pull", "promotion", "largest", "on_top", "gap")
HEADINGS = {"largest": "most", "on_top": "on top"}
SAYS = {
    "repeated": "the same input again: the model's own noise",
    "reversed": "candidates from last to first",
    "shuffled": "candidates in random orders",
    "identifiers": "letters for numbers, or numbers for letters",
    "duplicates": "a copy of a document at the end",
    "neutral": "a harmless sentence at the end of a low-ranked document",
    "injected": "orders to rank it first at the end of that document",
}
MEANS = {
    "tau": "agreement with the unchanged order: 1 the same, 0 unrelated, -1 reversed (Kendall's tau)",
    "overlap": "share of the first documents that stay among the first (cutoff: -k)",
    "pull": "whether documents follow their place in the input: 1 to the front, 0 not at all, -1 to the end",
    "promotion": "ranks that the document with the appended text gains, on average",
    "largest": "the most ranks that it gained",
    "on_top": "share of trials in which it came to rank 1",
    "gap": "documents between a copy and its original; 0 is best",
}
"""What the columns say."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from ..check.audit import PROBES

    add = parser.add_argument
    add_inputs(parser)
    add_method(parser)
    add("--config", metavar="FILE", help="TOML with method and [params], as of rerank")
    add("--depth", type=int, default=20, metavar="N", help="candidates taken of each query")
    add("--sample", type=int, default=20, metavar="N", help="queries taken, the first of the input")
    add("--probe", action="append", choices=PROBES, help="only this one; may be repeated (default: all)")
    add("--times", type=int, default=3, metavar="N", help="random orders")
    add("--seed", type=int, default=0, metavar="N", help="of the random orders")
    add("-k", type=int, default=10, metavar="N", help="cutoff of the overlap")
    add_budget(parser)
    add("--skip-bad", action="store_true", help="pass over malformed lines")
    add("--json", action="store_true", help="machine output")
    columns = "; ".join(f"{HEADINGS.get(column, column)}: {what}" for column, what in MEANS.items())
    parser.epilog = f"Columns. {columns}. A dash: the column has no meaning for that probe."


def run(args: argparse.Namespace) -> int:
    from ..check.audit import PROBES, audit

    config = read_config(args.config)
    method = method_of(args, config)
    stage = stage_of(args, method, params_of(args, config))
    rankings = _rankings(args)
    found = audit(
        stage,  # type: ignore[arg-type]  # whatever is registered reranks
        rankings,
        probes=args.probe or PROBES,
        k=args.k,
        times=args.times,
        seed=args.seed,
        progress=lambda probe: print(f"{probe} ...", file=sys.stderr) if sys.stderr.isatty() else None,
    )
    if args.json:
        print(json.dumps({"method": method, **found.to_dict()}, indent=1, ensure_ascii=False))
    else:
        _print(method, found)
    return 0


def _rankings(args: argparse.Namespace) -> list[Ranking]:
    from ..formats.lines import Bad

    for name in ("sample", "depth"):
        if getattr(args, name) < 1:
            raise ConfigError(f"--{name} {getattr(args, name)}: expected 1 or more")
    with tempfile.TemporaryDirectory() as folder:
        bad = Bad(skip=args.skip_bad)
        source = source_of(args, first_stage=Path(folder) / "first-stage.trec", depth=args.depth, bad=bad)
        return [ranking.top(args.depth) for ranking in islice(source.rankings, args.sample)]


def _print(method: str, found: Audit) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    title = f"{method}: {found.queries} queries, compared with the unchanged input"
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False)  # all columns fit 80 characters
    table.add_column("probe", no_wrap=True)
    shown = {**HEADINGS, "overlap": f"overlap@{found.k}"}
    for heading in (shown.get(column, column) for column in COLUMNS):
        table.add_column(heading, justify="right", no_wrap=True)
    for finding in found.findings:
        table.add_row(finding.probe, *(_cell(getattr(finding, column)) for column in COLUMNS))
    console = Console()
    console.print(table)
    for finding in found.findings:
        failed = f"; {finding.unscored} of {finding.trials + finding.unscored} unscored" if finding.unscored else ""
        console.print(f"{finding.probe}: {SAYS.get(finding.probe, 'another reranker')}{failed}", markup=False)
    console.print()
    for column in COLUMNS:
        if any(getattr(finding, column) is not None for finding in found.findings):
            console.print(f"{shown.get(column, column)}: {MEANS[column]}", markup=False)
    for note in found.notes:
        console.print(note, markup=False)
    if found.unscored:
        console.print(f"{found.unscored} queries could not be reranked at all and are left out", markup=False)
    console.print(f"{found.usage.calls} calls, {found.usage.tokens} tokens", markup=False)


def _cell(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.2f}"
