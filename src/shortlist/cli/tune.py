"""Learn weights for a mixture of rerankers and the first stage from your own judged queries; seconds, no GPU, no torch.

Candidates are given as to ``rerank``: --data FOLDER, --run with --corpus and --queries, or one INPUT with grades. The
first --with is the baseline; the mixture begins there and leaves it as far as the judgements carry. It is measured by
weights that were learned without the query they rank, and on --held-out; the exit status is 4 when it is not accepted.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError, InputError
from ._job import DEPTH, METHOD, add_inputs, judgements_of, source_of
from ._progress import progress_bar
from ._training import EXIT_REJECTED, made, verdict_lines

if TYPE_CHECKING:
    from ..core.types import Ranking
    from ..formats.graded import Grades
    from ..train.tune import Tuned

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
    add("--folds", type=int, default=5, metavar="N", help="parts that the queries are measured in")
    add("--licence", default="", metavar="NAME", help="of the texts, for the card")
    add("--skip-bad", action="store_true", help="pass over malformed lines")
    add("--quiet", action="store_true", help="no progress bar and no summary")


def run(args: argparse.Namespace) -> int:
    from ..formats.lines import Bad
    from ..train.gate import held_out_folder
    from ..train.tune import tune

    output, bad = Path(args.output), Bad(skip=args.skip_bad)
    stages = [_stage(text) for text in args.stages or [METHOD]]
    sets = [held_out_folder(folder, depth=args.depth) for folder in args.held_out]
    with made(output / "training"):
        source = source_of(args, first_stage=output / "training/first-stage.trec", depth=args.depth, bad=bad)
        rankings, judgements = _judged(source.rankings, judgements_of(args))
        if not rankings:
            raise InputError("no query is judged; give --qrels FILE, --data FOLDER with qrels, or an INPUT with grades")
        with progress_bar("asking", len(rankings), quiet=args.quiet) as progress:
            tuned = tune(
                stages, rankings, judgements, output, sets=sets, measure=args.measure, margin=args.margin,
                strength=args.strength, folds=args.folds, licence=args.licence, progress=progress,
                inputs={**source.inputs, **({"qrels": args.qrels} if args.qrels else {})},
            )  # fmt: skip
    if not args.quiet:
        print("\n".join(_said(tuned, args.output)), file=sys.stderr)
    return 0 if tuned.accepted else EXIT_REJECTED


def _stage(text: str) -> str | dict[str, Any]:
    if not text.startswith("{"):
        return text
    try:
        table: dict[str, Any] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"--with {text}: no TOML table ({error}); for example '{_EXAMPLE}'") from error
    return table


def _judged(rankings: Iterable[Ranking], path: Path | None) -> tuple[list[Ranking], Grades]:
    """The judged queries with grades on their documents, and all judgements."""
    from ..formats.features import grade_of
    from ..formats.graded import grades, with_grades
    from ..formats.qrels import read_qrels

    if path is not None:
        judgements = grades(read_qrels(path))
        return [r for r in with_grades(rankings, judgements) if r.query.id in judgements], judgements
    found, own = [], {}
    for ranking in rankings:
        known = {c.id: int(grade) for c in ranking.candidates if (grade := grade_of(c)) is not None}
        if known:
            found.append(ranking)
            own[ranking.query.id] = known
    return found, own


def _said(tuned: Tuned, output: str) -> list[str]:
    weights = ", ".join(f"{name} {weight:g}" for name, weight in tuned.fit.weights.items() if weight)
    found, *doubt = verdict_lines(tuned.own)
    say = [
        f"weights of {tuned.fit.queries} queries: {weights}",
        *tuned.leaks.lines(),
        f"by weights learned without the query, {found}",
        *(line.replace("held-out ", "") for line in doubt),
    ]
    say += [] if tuned.held is None else [f"held out, {line}" for line in verdict_lines(tuned.held)]
    return [*say, f"run it with: {shlex.join(['shortlist', 'rerank', '...', '--with', 'mixture', '--model', output])}"]
