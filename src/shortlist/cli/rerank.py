"""Rerank candidates into a run file; a killed job continues where it was.

Candidates come from --data FOLDER (BEIR layout, BM25 on the way), from --run with --corpus and --queries, or from one
file INPUT in any JSONL dialect that holds the texts. The output is a TREC run, or when its name ends in .jsonl rankings
with texts, status, repairs, usage and every call; a manifest is written beside it.

Exit status 3: some queries are unscored. 5: stopped, because an endpoint is down; the same command continues.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import ConfigError
from ._job import DEPTH, add_budget, add_inputs, add_method, method_of, params_of, source_of, stage_of
from ._params import read_config
from ._progress import progress_bar

if TYPE_CHECKING:
    from ..formats.lines import Bad
    from ..jobs import RerankReport
    from ..jobs.source import Source

BATCH = 16
EXIT_UNSCORED, EXIT_STOPPED = 3, 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_inputs(parser)
    add_method(parser)
    add("--config", metavar="FILE", help="TOML with method, depth, top_k, batch and [params]")
    add("-o", "--output", required=True, metavar="FILE", help="run to write; .jsonl for rankings with texts")
    add("--top-k", type=int, metavar="N", help="keep the first N of each result (default: all)")
    add("--depth", type=int, metavar="N", help=f"candidates taken of each query (default {DEPTH})")
    add("--batch", type=int, metavar="N", help=f"queries computed together (default {BATCH})")
    add_budget(parser)
    add("--skip-bad", action="store_true", help="pass over malformed lines; they are counted and listed")
    add("--on-outage", choices=("stop", "unscored"), default="stop", help="what the job does when an endpoint is down")
    add("--resume", action="store_true", help="continue an unfinished job; an error when there is none")
    add("--restart", action="store_true", help="throw away what an unfinished job has done")
    add("--quiet", action="store_true", help="no progress bar and no summary")


def run(args: argparse.Namespace) -> int:
    from ..jobs import Stopped

    try:
        return _run(args)
    except Stopped as stopped:
        print(f"shortlist: {stopped}", file=sys.stderr)
        return EXIT_STOPPED


def _run(args: argparse.Namespace) -> int:
    from ..formats.lines import Bad
    from ..jobs import rerank_file
    from ..jobs.output import check_for, holds_texts, writer_for
    from ..jobs.rerank import beside

    config = read_config(args.config)
    method = method_of(args, config)
    depth = args.depth if args.depth is not None else config.get("depth", DEPTH)
    stage = stage_of(args, method, params_of(args, config))
    bad = Bad(skip=args.skip_bad)
    output = Path(args.output)
    texts = holds_texts(output)
    if args.resume and not beside(output, "journal").exists():
        raise ConfigError(f"--resume: there is no unfinished job for {output}; leave it out to begin one")
    source = _source(args, output, depth, bad)
    with progress_bar("reranking", source.total, quiet=args.quiet) as progress:
        report = rerank_file(
            source.rankings,
            stage,
            output,
            writer=writer_for(output),
            k=args.top_k if args.top_k is not None else config.get("top_k"),
            depth=depth,
            batch=args.batch if args.batch is not None else config.get("batch", BATCH),
            texts=texts,
            trace=texts,
            check=check_for(output),
            inputs=source.inputs,
            facts=lambda: {"method": method, "skipped_lines": bad.count, "skipped_examples": bad.examples},
            restart=args.restart,
            on_outage=args.on_outage,
            progress=progress,
        )
    if not args.quiet:
        _summary(report, output, bad, texts=texts)
    return EXIT_UNSCORED if report.statuses.get("unscored") else 0


def _source(args: argparse.Namespace, output: Path, depth: int, bad: Bad) -> Source:
    from ..jobs.output import first_stage_path

    if any(_same_file(getattr(args, name), output) for name in ("input", "data", "run", "corpus", "queries")):
        raise ConfigError(f"{output} is also an input; give the output another name")
    return source_of(args, first_stage=first_stage_path(output), depth=depth, bad=bad)


def _same_file(given: str | None, output: Path) -> bool:
    return given is not None and output.exists() and Path(given).exists() and output.samefile(given)


def _summary(report: RerankReport, output: Path, bad: Bad, *, texts: bool) -> None:
    unscored = report.statuses.get("unscored", 0)
    done = f"{report.queries - unscored} of {report.queries}" if unscored else f"{report.queries}"
    say = [f"{done} queries reranked into {output} in {report.seconds:.1f} s"]
    if report.resumed:
        say.append(f"{report.resumed} of them by an earlier run of this job")
    for status, count in sorted(report.statuses.items()):
        if status != "ranked":
            say.append(f"{count} {status}")
    if report.reasons:
        query, why = next(iter(report.reasons.items()))
        more = f" ({len(report.reasons) - 1} more reasons in the manifest)" if len(report.reasons) > 1 else ""
        say.append(f"{query}: {why}{more}")
    if unscored and not texts:
        say.append("unscored queries are not in a TREC output: evaluation counts them as zero and names them")
    say += [f"{count} x {kind}" for kind, count in sorted(report.repairs.items())]
    if report.repairs and not texts:
        say.append("which queries and documents: an output that ends in .jsonl holds every call with its repairs")
    if bad.count:
        say += [f"{bad.count} malformed lines skipped", *(f"  {example}" for example in bad.examples)]
    print("\n".join(say), file=sys.stderr)
