"""Rerank candidates into a run file; a killed job continues where it was.

Candidates come from --data FOLDER (BEIR layout, BM25 on the way), from --run with --corpus and --queries, or from one
file INPUT in any JSONL dialect that holds the texts. The output is a TREC run, or rankings with texts when its name
ends in .jsonl; a manifest is written beside it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError
from ._params import parse_params, read_config

if TYPE_CHECKING:
    from ..formats.lines import Bad
    from ..jobs import RerankReport
    from ..jobs.source import Source
    from ..pipeline import Stage

METHOD, DEPTH, BATCH = "late-interaction", 100, 16
EXIT_UNSCORED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", nargs="?", metavar="INPUT", help="a file that holds queries, candidates and texts")
    add("--format", metavar="NAME", help="of INPUT, when it is not to be guessed")
    add("--data", metavar="FOLDER", help="BEIR folder; BM25 finds the candidates")
    add("--split", metavar="NAME", help="with --data: rerank the queries judged in qrels/NAME")
    add("--language", default="english", metavar="NAME", help="with --data: of the texts")
    add("--run", metavar="FILE", help="first-stage run (TREC, .gz, - for standard input)")
    add("--corpus", metavar="FILE", help="with --run: the documents")
    add("--queries", metavar="FILE", help="with --run: the queries")
    add("--with", dest="method", metavar="METHOD", help=f"reranker (see `shortlist methods`; default {METHOD})")
    add("--param", action="append", default=[], metavar="NAME=VALUE", help="of the method; may be repeated")
    add("--model", metavar="MODEL", help="the method's model: an endpoint's address, a folder or a hub name")
    add(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the model, such as model=NAME, context=8192",
    )
    add("--config", metavar="FILE", help="TOML with method, depth, top_k, batch and [params]")
    add("-o", "--output", required=True, metavar="FILE", help="run to write; .jsonl for rankings with texts")
    add("--top-k", type=int, metavar="N", help="keep the first N of each result (default: all)")
    add("--depth", type=int, metavar="N", help=f"candidates taken of each query (default {DEPTH})")
    add("--batch", type=int, metavar="N", help=f"queries computed together (default {BATCH})")
    add("--max-calls", type=int, metavar="N", help="per query; the best order so far is kept and marked partial")
    add("--max-tokens", type=int, metavar="N", help="per query")
    add("--max-seconds", type=float, metavar="S", help="per query")
    add("--on-error", choices=("unscored", "raise"), default="unscored", help="what a failing query does")
    add("--skip-bad", action="store_true", help="pass over malformed lines; they are counted and listed")
    add("--restart", action="store_true", help="throw away what an unfinished job has done")
    add("--quiet", action="store_true", help="no progress bar and no summary")


def run(args: argparse.Namespace) -> int:
    from ..formats.lines import Bad
    from ..jobs import rerank_file
    from ..jobs.output import check_for, holds_texts, writer_for

    config = read_config(args.config)
    method = args.method or config.get("method") or _default_method(args)
    depth = args.depth if args.depth is not None else config.get("depth", DEPTH)
    stage = _stage(args, method, _params(args, config))
    bad = Bad(skip=args.skip_bad)
    output = Path(args.output)
    texts = holds_texts(output)
    source = _source(args, output, depth, bad)
    with _bar(source.total, quiet=args.quiet) as progress:
        report = rerank_file(
            source.rankings,
            stage,
            output,
            writer=writer_for(output),
            k=args.top_k if args.top_k is not None else config.get("top_k"),
            depth=depth,
            batch=args.batch if args.batch is not None else config.get("batch", BATCH),
            texts=texts,
            check=check_for(output),
            inputs=source.inputs,
            facts=lambda: {"method": method, "skipped_lines": bad.count, "skipped_examples": bad.examples},
            restart=args.restart,
            progress=progress,
        )
    if not args.quiet:
        _summary(report, output, bad, texts=texts)
    return EXIT_UNSCORED if report.statuses.get("unscored") else 0


def _default_method(args: argparse.Namespace) -> str:
    from ..retrieve._analysis import language_name
    from ..retrieve.bm25 import ENGLISH

    if args.data is not None and language_name(args.language) not in ENGLISH:
        raise ConfigError(
            f"the built-in reranker reads English, not {args.language}, and would make the order worse; name a method "
            f"with --with METHOD (--with {METHOD} if you mean it)"
        )
    return METHOD


def _params(args: argparse.Namespace, config: dict[str, Any]) -> dict[str, Any]:
    params = {**config.get("params", {}), **parse_params(args.param)}
    options = {**params.pop("options", {}), **parse_params(args.option, "--option")}
    if args.model is not None:
        params["model"] = args.model
    return {**params, "options": options} if options else params


def _stage(args: argparse.Namespace, method: str, params: dict[str, Any]) -> Stage:
    from .. import load
    from ..drive import Budget, Scheduled

    stage = load(method, **params)
    if isinstance(stage, Scheduled):
        limits = Budget(args.max_calls, args.max_tokens, args.max_seconds)
        return replace(stage, on_error=args.on_error, budget=limits)
    if (args.max_calls, args.max_tokens, args.max_seconds) != (None, None, None):
        raise ConfigError(
            f"{method} has no single schedule, so --max-calls, --max-tokens and --max-seconds do not apply"
        )
    return stage


def _source(args: argparse.Namespace, output: Path, depth: int, bad: Any) -> Source:
    from ..jobs import source
    from ..jobs.output import first_stage_path

    given = [name for name in ("input", "data", "run") if getattr(args, name) is not None]
    if any(_same_file(getattr(args, name), output) for name in (*given, "corpus", "queries")):
        raise ConfigError(f"{output} is also an input; give the output another name")
    if len(given) != 1:
        raise ConfigError(f"give one of INPUT, --data FOLDER or --run FILE; given: {', '.join(given) or 'none'}")
    if args.data is not None:
        return source.from_folder(
            Path(args.data),
            first_stage=first_stage_path(output),
            depth=depth,
            split=args.split,
            language=args.language,
        )
    if args.run is not None:
        return source.from_run(args.run, corpus=args.corpus, queries=args.queries, depth=depth, bad=bad)
    return source.from_file(args.input, format=args.format, bad=bad)


def _same_file(given: str | None, output: Path) -> bool:
    return given is not None and output.exists() and Path(given).exists() and output.samefile(given)


def _bar(total: int | None, *, quiet: bool) -> AbstractContextManager[Callable[[int], None]]:
    if quiet or not sys.stderr.isatty():
        return nullcontext(lambda done: None)
    from ._progress import progress_bar

    return progress_bar("reranking", total)


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
    if bad.count:
        say += [f"{bad.count} malformed lines skipped", *(f"  {example}" for example in bad.examples)]
    print("\n".join(say), file=sys.stderr)
