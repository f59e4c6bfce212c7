"""Learn weights for a mixture of rerankers and the first stage from your own judged queries; seconds, no GPU, no torch.

Candidates are given as to ``rerank``: --data FOLDER, --run with --corpus and --queries, or one INPUT with grades. The
first --with is the baseline; the mixture begins there and leaves it as far as the judgements carry. It is measured by
weights that were learned without the query they rank, and on --held-out; the exit status is 4 when it is not accepted.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError, InputError
from ._job import DEPTH, METHOD, add_inputs, judgements_of, method_of, source_of
from ._progress import progress_bar
from ._training import EXIT_REJECTED, verdict_lines

if TYPE_CHECKING:
    from ..core.types import Ranking
    from ..formats.graded import Grades
    from ..jobs.source import Source
    from ..train.tuned import Tuned

_EXAMPLE = '{method = "cross-encoder", model = "FOLDER"}'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_inputs(parser)
    add("--with", dest="stages", action="append", default=[], metavar="METHOD", help="a method, or a table such as "
        f"'{_EXAMPLE}'; repeatable (default {METHOD})")  # fmt: skip
    add("--qrels", metavar="FILE", help="judgements; with --data those of --split")
    add("--depth", type=int, default=DEPTH, metavar="N", help="candidates of each query")
    add("-o", "--output", required=True, metavar="FOLDER", help="where the mixture goes")
    add("--held-out", action="append", default=[], metavar="FOLDER", help="BEIR folder for the gate; its queries are "
        "left out of learning; repeatable")  # fmt: skip
    add("--measure", default="nDCG@10", metavar="NAME", help="what is compared")
    add("--margin", type=float, default=0.01, metavar="M", help="how far one set may fall")
    add("--strength", type=float, default=3.0, metavar="S", help="how hard it is to leave the first method alone")
    add("--folds", type=int, default=20, metavar="N", help="parts that the queries are measured in")
    add("--licence", default="", metavar="NAME", help="of the texts, for the card")
    add("--skip-bad", action="store_true", help="pass over malformed lines")
    add("--quiet", action="store_true", help="no progress bar and no summary")


def run(args: argparse.Namespace) -> int:
    from ..formats.lines import Bad
    from ..train.gate import held_out_folder
    from ..train.tune import Tuning, ready, tune

    output, bad = Path(args.output), Bad(skip=args.skip_bad)
    args.method = args.stages[0] if args.stages else None
    stages = [_stage(text) for text in args.stages or [method_of(args, {})]]
    if args.depth < 1:
        raise ConfigError(f"--depth {args.depth}: expected a whole number from 1 up")
    how = Tuning(args.measure, args.margin, args.strength, args.folds)
    ready(stages, output)  # what is wrong is said before anything is read
    sets = [held_out_folder(folder, depth=args.depth) for folder in args.held_out]
    with TemporaryDirectory() as scratch:
        first_stage = Path(scratch) / "first-stage.trec"
        source = source_of(args, first_stage=first_stage, depth=args.depth, bad=bad)
        path = judgements_of(args)
        rankings, judgements = _judged(source, path)
        with progress_bar("asking", len(rankings), quiet=args.quiet) as progress:
            tuned = tune(
                stages, rankings, judgements, output, how, sets=sets, licence=args.licence, progress=progress,
                inputs={**source.inputs, **({"qrels": args.qrels} if args.qrels else {})},
            )  # fmt: skip
        if first_stage.exists():
            shutil.copyfile(first_stage, output / "training" / first_stage.name)
    if not args.quiet:
        print("\n".join(_said(tuned, args.output, own_grades=path is None)), file=sys.stderr)
    return 0 if tuned.accepted else EXIT_REJECTED


def _stage(text: str) -> str | dict[str, Any]:
    if not text.startswith("{"):
        return text
    try:
        table: dict[str, Any] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"--with {text}: no TOML table ({error}); for example '{_EXAMPLE}'") from error
    return table


def _judged(source: Source, path: Path | None) -> tuple[list[Ranking], Grades]:
    """The judged queries, and all judgements. Raises InputError when there are none."""
    from ..formats.graded import grades, to_qrels
    from ..formats.qrels import read_qrels

    rankings = list(source.rankings)
    if path is not None:
        found: Grades = grades(read_qrels(path))
    else:
        found = grades(to_qrels(rankings))
    judged = [ranking for ranking in rankings if ranking.query.id in found]
    if judged:
        return judged, found
    if not rankings:
        raise InputError("no query has candidates: the corpus or the input is empty")
    if path is None:
        raise InputError(
            f"none of {len(rankings)} queries is judged; give --qrels FILE, --data FOLDER with qrels, or an INPUT "
            'whose candidates have "metadata": {"grade": 1}'
        )
    raise InputError(
        f"none of {len(rankings)} queries is judged in {path}: the queries are called {rankings[0].query.id!r}, those "
        f"of the judgements {next(iter(found), 'nothing')!r}"
    )


def _said(tuned: Tuned, output: str, *, own_grades: bool) -> list[str]:
    weights = [f"{name} {w:g}" for name, w in tuned.fit.weights.items() if w or "." not in name]
    found, *doubt = verdict_lines(tuned.own)
    say = [
        f"weights of {tuned.fit.queries} queries: {', '.join(weights)}",
        *(f"{count} queries left out: {why}" for why, count in tuned.left_out.items()),
        f"by weights learned without the query, {found}",
        *(line.replace("held-out ", "") for line in doubt),
    ]
    if own_grades:
        say.append(
            "judgements are those of the candidates: what was not found is unknown, so both figures are too high"
        )
    say += [] if tuned.held is None else [f"held out, {line}" for line in verdict_lines(tuned.held)]
    call = shlex.join(["shortlist", "rerank", "...", "--with", "mixture", "--model", output])
    return [*say, f"run it with: {call}" if tuned.accepted else f"keep {tuned.own.baseline}; to look at it: {call}"]
