"""Compare runs query by query: differences with tests, intervals, wins and losses, and what changed most.

All p values of one call are corrected together, over every run and measure.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import TYPE_CHECKING

from ._measured import add_shared, console, judgements_of, named_runs, notes, report_bad

if TYPE_CHECKING:
    from ..evaluate import Comparison, Difference

SIGNIFICANT = 0.05


WIDE = 118  # columns of a terminal that holds the whole table
ESSENTIAL = (2, 3, 5, 6)  # in a narrower one: difference, interval, corrected p, wins/ties/losses


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_shared(parser)
    add = parser.add_argument
    add("--baseline", metavar="RUN", help="run that the others are compared with, by name or path; default: the first")
    add("--test", default="t", choices=("t", "permutation", "wilcoxon"), help="paired, two-sided")
    add("--correction", default="holm", choices=("holm", "bonferroni", "bh", "none"), help="for several tests")
    add("--confidence", type=float, default=0.95, metavar="SHARE", help="of the bootstrap interval")
    add("--samples", type=int, default=10_000, metavar="N", help="of the bootstrap and the permutation test")
    add("--seed", type=int, default=0, metavar="N", help="of the same")
    add("--changed", type=int, default=5, metavar="N", help="queries to list per run, by the first measure")


def run(args: argparse.Namespace) -> int:
    from ..core.errors import ConfigError
    from ..evaluate import compare, evaluate_runs
    from ..formats import Bad

    runs = named_runs(args.runs)
    if len(runs) < 2:
        raise ConfigError("a comparison needs at least two runs")
    bad = Bad(skip=args.skip_bad)
    found = evaluate_runs(runs, judgements_of(args, bad), args.measures, format=args.format, bad=bad)
    report_bad(bad)
    by_path = {path: name for name, path in runs.items()}
    result = compare(
        found,
        baseline=by_path.get(args.baseline, args.baseline),
        test=args.test,
        correction=args.correction,
        confidence=args.confidence,
        changed=args.changed,
        samples=args.samples,
        seed=args.seed,
    )
    if args.json:
        print(json.dumps(result.to_dict(), ensure_ascii=False, indent=1))
    else:
        _print(result)
    return 0


def _print(result: Comparison) -> None:
    from rich.markup import escape
    from rich.table import Table

    corrected = "p" if result.correction == "none" else f"p {result.correction}"
    interval = f"{result.confidence:.0%} interval"
    table = Table(title=f"against {escape(result.baseline)}, {result.queries} judged queries", title_justify="left")
    table.add_column("run")
    table.add_column("measure", no_wrap=True)
    headings = ("baseline", "run", "difference", interval, f"p ({result.test})", corrected, "w / t / l", "effect")
    out = console()
    shown = range(len(headings)) if out.width >= WIDE else ESSENTIAL
    for place in shown:
        table.add_column(headings[place], justify="right", no_wrap=True)
    for row in result.rows:
        cells = _cells(row)
        section = _last(result, row)
        table.add_row(escape(row.run), escape(row.measure), *(cells[place] for place in shown), end_section=section)
    out.print(table)
    out.print(f"bold: corrected p below {SIGNIFICANT}; effect: mean difference in its standard deviations")
    for row in result.rows:
        if row.measure == result.evaluations[0].measures[0] and row.changed:
            moved = ", ".join(f"{query} {difference:+.3f}" for query, difference in row.changed)
            out.print(f"- {escape(row.run)}, most changed by {escape(row.measure)}: {escape(moved)}")
    for evaluation in result.evaluations:
        for note in notes(evaluation):
            out.print(f"- {escape(evaluation.name)}: {escape(note)}")


def _cells(row: Difference) -> list[str]:
    difference, p = f"{row.difference:+.4f}", _p(row.p_corrected)
    if row.p_corrected < SIGNIFICANT:
        difference, p = f"[bold]{difference}[/bold]", f"[bold]{p}[/bold]"
    return [
        f"{row.baseline_mean:.4f}",
        f"{row.mean:.4f}",
        difference,
        f"{row.low:+.4f}..{row.high:+.4f}",
        _p(row.p),
        p,
        f"{row.wins} / {row.ties} / {row.losses}",
        f"{row.effect_size:+.2f}" if math.isfinite(row.effect_size) else "constant",
    ]


def _p(p: float) -> str:
    return f"{p:.4f}" if p >= 0.0001 else "<0.0001"


def _last(result: Comparison, row: Difference) -> bool:
    """True for the last measure of a run."""
    return row.measure == result.evaluations[0].measures[-1]
