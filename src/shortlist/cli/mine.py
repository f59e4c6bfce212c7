"""Mine hard negatives: a training file of positives and negatives from judgements and a run, or a run made on the way.

With --with METHOD a reranker scores the candidates first (the teacher): its scores are written beside the documents,
and --margin or --share leave likely false negatives out. The job continues where a killed one was, and writes a
manifest. Queries without a positive or without a negative are left out and counted.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import ConfigError
from ._job import add_inputs, add_method, params_of, source_of
from ._progress import progress_bar

if TYPE_CHECKING:
    from ..core.types import Ranking
    from ..jobs.source import Source
    from ..train import LeakReport

DEPTH, BATCH = 100, 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_inputs(parser)
    add_method(parser)
    add("--qrels", metavar="FILE", help="judgements; with --data those of --split")
    add("-o", "--output", required=True, metavar="FILE", help="training file to write")
    add("--to", metavar="FORMAT", help="of the output, see `shortlist convert --help` (default: ours, lossless)")
    add("--negatives", type=int, default=7, metavar="N", help="per query (default 7)")
    add("--ranks", default="1-100", metavar="A-B", help="of the run that negatives are taken from (default 1-100)")
    add("--take", choices=("random", "top"), default="random", help="drawn from these ranks, or the first of them")
    add("--random", type=int, default=0, metavar="N", help="of the negatives, drawn from behind these ranks")
    add("--margin", type=float, metavar="M", help="negatives score at least M below the worst positive")
    add("--share", type=float, metavar="S", help="negatives score at most S times the worst positive")
    add("--seed", type=int, default=0, help="of the draws")
    add("--against", action="append", default=[], metavar="FOLDER", help="evaluation set whose queries are left out")
    add("--depth", type=int, default=DEPTH, metavar="N", help=f"candidates taken of each query (default {DEPTH})")
    add("--skip-bad", action="store_true", help="pass over malformed lines; they are counted and listed")
    add("--restart", action="store_true", help="throw away what an unfinished job has done")
    add("--quiet", action="store_true", help="no progress bar and no summary")


def run(args: argparse.Namespace) -> int:
    from .. import load
    from ..formats.lines import Bad
    from ..jobs import rerank_file
    from ..train import LeakReport, Mine

    first, last = _ranks(args.ranks)
    mine = Mine(args.negatives, first, last, args.take, args.random, args.margin, args.share, args.seed)
    stage = mine if args.method is None else load(args.method, **params_of(args, {})) >> mine
    bad, leaks, output = Bad(skip=args.skip_bad), LeakReport(), Path(args.output)
    _require_judgements(args)
    source = source_of(args, first_stage=output.with_name(f"{output.name}.first-stage.trec"), depth=args.depth, bad=bad)
    with progress_bar("mining", source.total, quiet=args.quiet) as progress:
        report = rerank_file(
            _samples(args, source, bad, leaks),
            stage,
            output,
            writer=lambda rankings, path: _write(rankings, path, args.to),
            batch=BATCH,
            texts=True,
            inputs=source.inputs,
            facts=lambda: {"left_out_as_leaks": dict(leaks.found), "leak_examples": leaks.examples},
            restart=args.restart,
            progress=progress,
        )
    if not args.quiet:
        left_out = report.statuses.get("unscored", 0)
        say = [f"{report.queries - left_out} training samples in {output} ({report.seconds:.1f} s)", *leaks.lines()]
        if left_out:
            query, why = next(iter(report.reasons.items()))
            say.append(f"{left_out} queries left out, the first {query}: {why}")
        say += [f"{count} x {kind}" for kind, count in sorted(report.repairs.items())]
        say += [*report.notes, *([f"{bad.count} malformed lines skipped"] if bad.count else [])]
        print("\n".join(say), file=sys.stderr)
    return 0


def _require_judgements(args: argparse.Namespace) -> None:
    """A file without a judgement gives no sample, and is refused before anything is computed. Standard input cannot be
    looked at twice."""
    from ..formats import read
    from ..formats.features import grade_of
    from ..formats.lines import Bad

    if args.input in (None, "-") or args.qrels is not None:
        return
    rankings = read(args.input, format=args.format, bad=Bad(skip=True))
    if all(grade_of(candidate) is None for ranking in rankings for candidate in ranking.candidates):
        raise ConfigError(
            f"{args.input} holds no judgements, and negatives need positives; give them with --qrels FILE and the "
            "documents with --corpus FILE, or give a file whose documents carry grades"
        )


def _ranks(text: str) -> tuple[int, int | None]:
    found = re.fullmatch(r"(\d+)-(\d*)", text)
    if found is None:
        raise ConfigError(f"--ranks {text!r}: expected FIRST-LAST such as 1-100, or FIRST- for all behind")
    return int(found[1]), int(found[2]) if found[2] else None


def _samples(args: argparse.Namespace, source: Source, bad: object, leaks: LeakReport) -> Iterable[Ranking]:
    """The rankings with their judgements and all their positives, without evaluation queries."""
    from ..data.collection import Collection
    from ..data.dataset import load_dataset
    from ..formats.graded import grades
    from ..formats.qrels import read_qrels
    from ..train import with_positives, without_leaks

    rankings = source.rankings
    if args.data is not None:
        dataset = load_dataset(args.data)
        judged = grades(read_qrels(args.qrels) if args.qrels else dataset.qrels(args.split))
        rankings = with_positives(rankings, judged, dataset.corpus)
    elif args.qrels is not None:
        if args.corpus is None:
            raise ConfigError("--qrels names documents that a run may lack; --corpus must say where their texts are")
        rankings = with_positives(rankings, grades(read_qrels(args.qrels)), Collection(args.corpus))
    elif args.run is not None:
        raise ConfigError("a run holds no judgements; give them with --qrels FILE")
    against = {Path(folder).resolve().name: load_dataset(folder).judged().values() for folder in args.against}
    return without_leaks(rankings, against, leaks) if against else rankings


def _write(rankings: Iterable[Ranking], path: Path, format: str | None) -> tuple[str, ...]:
    """Write the samples; returns what had to be changed for the format, one sentence per kind."""
    from ..formats import write

    notes = write(_trainable(rankings), path, format or "shortlist")
    return tuple(f"{count} {what}" for what, count in notes.items() if count)


def _trainable(rankings: Iterable[Ranking]) -> Iterator[Ranking]:
    return (ranking for ranking in rankings if ranking.status != "unscored")
