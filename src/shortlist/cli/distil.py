"""Distil a teacher into a student: the teacher ranks, its scores are kept as a training file, the student learns them.

Candidates are given as to ``rerank``: --data FOLDER, --run with --corpus and --queries, or one INPUT. A teacher is any
method, ``file:RUN`` for scores that exist already, or ``grades``; several are averaged. What they say is written to
FOLDER/training/taught.jsonl and asked only once; --resume continues both the asking and the training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError
from ._job import DEPTH, add_inputs, params_of, source_of
from ._progress import progress_bar
from ._training import add_training, carry_out, recipe_of

if TYPE_CHECKING:
    from ..core.types import Ranking
    from ..jobs.source import Source
    from ..pipeline import Stage

STUDENTS = "distil-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_inputs(parser)
    add("--teacher", action="append", required=True, metavar="METHOD", help="a method, file:RUN or grades; repeatable")
    add("--param", action="append", default=[], metavar="NAME=VALUE", help="of the teacher, when there is one")
    add("--model", metavar="MODEL", help="of the teacher")
    add("--option", action="append", default=[], metavar="NAME=VALUE", help="of the teacher's model")
    add("--normalise", default="z", metavar="NAME", help="of several teachers' scores: none, min-max, z, rank or sum")
    add("--student", required=True, metavar="NAME", help="cross-encoder, bi-encoder, late-interaction, yes-no, first, "
        "or any recipe")  # fmt: skip
    add("--qrels", metavar="FILE", help="judgements, for losses that use labels; with --data those of --split")
    add("--depth", type=int, default=DEPTH, metavar="N", help="candidates that the teacher sees of each query")
    add("--licence", default="", metavar="NAME", help="of the texts, for the card")
    add("--skip-bad", action="store_true", help="pass over malformed lines")
    add("--restart", action="store_true", help="ask the teacher again from the start")
    add_training(parser)


def run(args: argparse.Namespace) -> int:
    from ..train.recipe import Data, available_recipes

    named = f"{STUDENTS}{args.student}"
    recipe = recipe_of(args, named if named in available_recipes() else args.student)
    taught = Path(args.output) / "training" / "taught.jsonl"
    taught.parent.mkdir(parents=True, exist_ok=True)
    _teach(args, taught)
    return carry_out(args, replace(recipe, data=(Data(str(taught), args.licence, ", ".join(args.teacher)),)))


def teacher_of(args: argparse.Namespace) -> Stage:
    """The teacher, or the mean of several."""
    from .. import load
    from ..train.teachers import Ensemble, FromFile, FromGrades

    params = params_of(args, {})
    if params and len(args.teacher) > 1:
        raise ConfigError("--param, --model and --option are for one teacher; rank with each, and give file:RUN twice")

    def one(name: str) -> Stage:
        if name.startswith("file:"):
            return FromFile(name.removeprefix("file:"))
        return FromGrades() if name == "grades" else load(name, **params)

    stages = tuple(one(name) for name in args.teacher)
    return stages[0] if len(stages) == 1 else Ensemble(stages, args.normalise)


def _teach(args: argparse.Namespace, taught: Path) -> None:
    from ..formats.lines import Bad
    from ..jobs.source import Source
    from ..train.generated import first_stage, generated
    from ..train.teachers import teach

    teacher, bad = teacher_of(args), Bad(skip=args.skip_bad)
    if args.smoke:
        source = Source(first_stage(generated(24, 8, seed=1)), 24)
    else:
        source = source_of(args, first_stage=taught.with_name("first-stage.trec"), depth=args.depth, bad=bad)
    if taught.exists() and not args.restart:
        _same_job(taught, teacher, args, source)
        return
    with progress_bar("teaching", source.total, quiet=args.quiet) as progress:
        report = teach(
            _judged(args, source), teacher, taught, inputs=source.inputs, depth=args.depth, restart=args.restart,
            progress=progress,
        )  # fmt: skip
    if not args.quiet:
        print(f"{report.queries} queries taught into {taught} in {report.seconds:.1f} s", file=sys.stderr)


def _judged(args: argparse.Namespace, source: Source) -> Iterable[Ranking]:
    """With judgements, where there are some."""
    from ..data.dataset import load_dataset
    from ..formats.graded import grades, with_grades
    from ..formats.qrels import read_qrels

    if args.qrels is not None:
        return with_grades(source.rankings, grades(read_qrels(args.qrels)))
    if args.data is not None and load_dataset(args.data).splits:
        return with_grades(source.rankings, grades(load_dataset(args.data).qrels(args.split)))
    return source.rankings


def _same_job(taught: Path, teacher: Stage, args: argparse.Namespace, source: Any) -> None:
    """Raises ConfigError when the file there is from another teacher, depth or input."""
    import json

    from ..core.params import digest
    from ..jobs import file_digest

    record = json.loads(taught.with_name(f"{taught.name}.manifest.json").read_text(encoding="utf-8"))
    inputs = {name: file_digest(path) for name, path in source.inputs.items()}
    before = {name: row["sha256"] for name, row in record["inputs"].items()}
    if record["stage_digest"] != digest(teacher) or record["depth"] != args.depth or inputs != before:
        raise ConfigError(
            f"{taught} was written by another teacher, from another input or at another depth; give another output, or "
            "--restart to ask again"
        )
