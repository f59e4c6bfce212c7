"""Measure runs against judgements, with the first stage and the best possible order beside them.

Figures are means over all judged queries, ordered and computed as trec_eval -c does. A judged query that a run lacks
counts as 0 and is named. The ceiling is what an oracle would reach by reordering the candidates.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError
from ._measured import add_shared, console, judgements_of, named_runs, notes, report_bad

if TYPE_CHECKING:
    from ..evaluate import Evaluation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_shared(parser)
    add = parser.add_argument
    add("--first-stage", metavar="RUN", help="the run that was reranked: first row, and its candidates set the ceiling")
    add("--per-query", metavar="FILE", help="write each query's values as TSV; - is standard output, without the table")
    add("--ci", action="store_true", help="95 %% confidence intervals of the means (bootstrap, BCa, seed 0)")


def run(args: argparse.Namespace) -> int:
    from ..evaluate import evaluate_runs
    from ..formats import Bad

    if args.json and args.per_query == "-":
        raise ConfigError("--json and --per-query - both want standard output; --json holds the values per query")
    bad = Bad(skip=args.skip_bad)
    judged = judgements_of(args, bad)
    found = evaluate_runs(
        named_runs(args.runs), judged, args.measures, first_stage=args.first_stage, format=args.format, bad=bad
    )
    report_bad(bad)
    intervals = {e.name: _intervals(e) for e in found} if args.ci else {}
    if args.per_query:
        _write_per_query(found, args.per_query)
    if args.json:
        records = [e.to_dict() | ({"intervals": intervals[e.name]} if args.ci else {}) for e in found]
        print(json.dumps({"measures": list(found[0].measures), "runs": records}, ensure_ascii=False, indent=1))
    elif args.per_query != "-":
        _print(found, intervals, len(judged.grades))
    return 0


def _intervals(evaluation: Evaluation) -> dict[str, list[float]]:
    from ..evaluate.stats import bootstrap_interval
    from ..measures import parse

    means = {m: v for m, v in evaluation.values.items() if not parse(m).summed}
    return {measure: list(bootstrap_interval(list(values.values()))) for measure, values in means.items()}


def _write_per_query(found: Sequence[Evaluation], path: str) -> None:
    from ..formats.atomic import atomic_text

    with atomic_text(path) as out:
        out.write("\t".join(["run", "query_id", *found[0].measures]) + "\n")
        for evaluation in found:
            for query in next(iter(evaluation.values.values())):
                figures = [repr(evaluation.values[m][query]) for m in evaluation.measures]
                out.write("\t".join([evaluation.name, query, *figures]) + "\n")
    if path != "-":
        print(f"values per query: {Path(path)}", file=sys.stderr)


def _print(found: Sequence[Evaluation], intervals: Mapping[str, Mapping[str, Sequence[float]]], queries: int) -> None:
    from rich.markup import escape
    from rich.table import Table

    measures = found[0].measures
    table = Table(title=f"{queries} judged queries", title_justify="left")
    table.add_column("run")
    for measure in measures:
        table.add_column(escape(measure), justify="right", no_wrap=True)
    for name, figures, style in _rows(found):
        table.add_row(escape(name), *(_cell(measure, figures) for measure in measures), style=style)
        if name in intervals:
            table.add_row("  95 % interval", *(_between(intervals[name].get(m)) for m in measures), style="dim")
    out = console()
    out.print(table)
    several = len(found) > 1
    for evaluation in _with_first_stages(found):
        named = several or all(evaluation is not run for run in found)
        for note in notes(evaluation):
            name = f"{evaluation.name}: " if named else ""
            out.print(f"- {escape(name + note)}")
    barren = found[0].coverage.without_relevant
    if barren:
        out.print(f"- {len(barren)} judged queries have no relevant document: 0 whatever a run does")


def _rows(found: Sequence[Evaluation]) -> list[tuple[str, Mapping[str, float], str]]:
    """First stages, runs, ceilings; the same figures are shown once."""
    rows: list[tuple[str, Mapping[str, float], str]] = []
    first = {id(e.first_stage): e for e in found if e.first_stage is not None}
    for evaluation in first.values():
        assert evaluation.first_stage is not None
        name = "first stage" if len(first) == 1 else f"first stage of {evaluation.name}"
        rows.append((name, evaluation.first_stage.means, "dim"))
    rows += [(e.name, e.means, "") for e in found]
    ceilings: dict[tuple[tuple[str, float], ...], list[str]] = {}
    for e in found:
        ceiling = e.ceiling if e.first_stage is None else e.first_stage.ceiling
        ceilings.setdefault(tuple(ceiling.items()), []).append(e.name)
    for figures, names in ceilings.items():
        rows.append(("ceiling" + (f" of {', '.join(names)}" if len(ceilings) > 1 else ""), dict(figures), "italic dim"))
    return rows


def _with_first_stages(found: Sequence[Evaluation]) -> list[Evaluation]:
    """Every evaluation that stands in the table, once."""
    shown: dict[int, Evaluation] = {}
    for evaluation in found:
        if evaluation.first_stage is not None:
            shown.setdefault(id(evaluation.first_stage), evaluation.first_stage)
        shown[id(evaluation)] = evaluation
    return list(shown.values())


def _cell(measure: str, figures: Mapping[str, Any]) -> str:
    from ..measures import parse

    if measure not in figures:
        return "-"
    return f"{figures[measure]:.0f}" if parse(measure).summed else f"{figures[measure]:.4f}"


def _between(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.3f}..{interval[1]:.3f}"
