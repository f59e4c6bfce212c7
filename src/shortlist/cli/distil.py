"""Distil a teacher into a student: the teacher ranks, its scores are kept as a training file, the student learns them.

Candidates are given as to ``rerank``: --data FOLDER, --run with --corpus and --queries, or one INPUT. A teacher is any
method, ``file:RUN`` for scores that exist already, or ``grades``; several are averaged. What they say is written to
FOLDER/training/taught.jsonl and asked only once; --resume continues both the asking and the training. With --answers
the file holds what a language model answered, thought included, for students that learn to answer (the recipes *-sft);
with --asks it is asked several times, and queries on which it contradicts itself are dropped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError, InputError
from ._job import DEPTH, add_inputs, judgements_of, params_of, source_of
from ._progress import progress_bar
from ._training import add_training, carry_out, recipe_of

if TYPE_CHECKING:
    from ..core.types import Query, Ranking
    from ..jobs.source import Source
    from ..pipeline import Stage
    from ..train.answers import Answers
    from ..train.recipe import Recipe

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
    add("--answers", choices=("clean", "all"), help="keep the teacher's answers as samples: those read without a "
        "repair, or all")  # fmt: skip
    add(
        "--least-ndcg", type=float, metavar="X", help="keep answers whose order has this nDCG@10 or more (judged lists)"
    )
    add("--asks", type=int, default=1, metavar="N", help="ask the teacher N times, each time shuffled")
    add(
        "--agreement",
        type=float,
        default=0.5,
        metavar="TAU",
        help="with --asks: the least mean Kendall tau of the orders",
    )
    add("--keep", choices=("closest", "mean"), default="closest", help="with --asks: the order nearest to the others "
        "(default), or that of the mean ranks")  # fmt: skip
    add("--resample", action="store_true", help="with --asks: sample every further answer, beside shuffling")
    add("--licence", default="", metavar="NAME", help="of the texts, for the card")
    add("--skip-bad", action="store_true", help="pass over malformed lines")
    add("--restart", action="store_true", help="ask the teacher again from the start")
    add_training(parser)


def run(args: argparse.Namespace) -> int:
    from ..train.recipe import Data, available_recipes
    from ..train.run import check_begun

    named = f"{STUDENTS}{args.student}"
    recipe = recipe_of(args, named if named in available_recipes() else args.student)
    taught = Path(args.output) / "training" / "taught.jsonl"
    check_begun(taught.parent, resume=args.resume)
    with _made(taught.parent):
        _teach(args, taught, recipe)
    _check_usable(taught)
    return carry_out(args, replace(recipe, data=(Data(str(taught), args.licence, ", ".join(args.teacher)),)))


def teacher_of(args: argparse.Namespace) -> Stage:
    """The teacher, or the mean of several."""
    from .. import load
    from ..train.consistency import SelfConsistent
    from ..train.teachers import Ensemble, FromFile, FromGrades

    params = params_of(args, {})
    if params and len(args.teacher) > 1:
        raise ConfigError("--param, --model and --option are for one teacher; rank with each, and give file:RUN twice")

    def one(name: str) -> Stage:
        if name.startswith("file:"):
            return FromFile(name.removeprefix("file:"))
        return FromGrades() if name == "grades" else load(name, **params)

    stages = tuple(one(name) for name in args.teacher)
    teacher = stages[0] if len(stages) == 1 else Ensemble(stages, args.normalise)
    if args.asks == 1:
        return teacher
    return SelfConsistent(teacher, args.asks, args.agreement, args.keep, resample=args.resample)


def answers_of(args: argparse.Namespace) -> Answers | None:
    """Which answers are kept, if any."""
    from ..train.answers import Answers

    if args.answers is None:
        if args.least_ndcg is not None:
            raise ConfigError("--least-ndcg chooses among answers; give --answers clean or --answers all, too")
        return None
    return Answers(args.answers == "all", args.least_ndcg)


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder is there inside; afterwards what was made for nothing is gone again."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for place in missing:
            with suppress(OSError):  # something was written into it
                place.rmdir()


def _teach(args: argparse.Namespace, taught: Path, recipe: Recipe) -> None:
    from ..formats.lines import Bad
    from ..jobs.source import Source
    from ..train.generated import first_stage, generated
    from ..train.leaks import not_all
    from ..train.teachers import teach

    teacher, answers, bad = teacher_of(args), answers_of(args), Bad(skip=args.skip_bad)
    if args.smoke:
        source = Source(first_stage(generated(24, 8, seed=1)), 24)
    else:
        source = source_of(args, first_stage=taught.with_name("first-stage.trec"), depth=args.depth, bad=bad)
    judgements = None if args.smoke else judgements_of(args)
    if judgements is not None:
        source = replace(source, inputs={**source.inputs, "qrels": judgements})
    if taught.exists() and not args.restart:
        _same_job(taught, teacher, args, source)
        return
    source = replace(source, rankings=not_all(source.rankings, _measured_on(recipe)))  # a teacher may cost money
    with progress_bar("teaching", source.total, quiet=args.quiet) as progress:
        report = teach(
            _judged(source, judgements), teacher, taught, inputs=source.inputs, depth=args.depth, restart=args.restart,
            answers=answers, progress=progress,
        )  # fmt: skip
    if not args.quiet:
        dropped = report.statuses.get("unscored", 0)
        without = f", {dropped} of them without a result" if dropped else ""
        print(f"{report.queries} queries taught into {taught} in {report.seconds:.1f} s{without}", file=sys.stderr)


def _check_usable(taught: Path) -> None:
    """Raises InputError when the teacher's file holds nothing to learn from."""
    record = json.loads(taught.with_name(f"{taught.name}.manifest.json").read_text(encoding="utf-8"))
    said, answers = record["report"], record.get("answers", {})
    unscored = said["statuses"].get("unscored", 0)
    if said["queries"] and (unscored == said["queries"] or (answers and not answers.get("kept"))):
        others = "; ".join(f"{count} answers {why}" for why, count in answers.items() if isinstance(count, int))
        first = next((f"query {query}: {why}" for query, why in said["reasons"].items()), others)
        hints = {
            "repaired": "--answers all keeps what had to be repaired",
            "without a usable answer": "a teacher that writes no text gives scores: leave --answers out",
        }
        hint = "".join(f"; {advice}" for why, advice in hints.items() if answers.get(why))
        raise InputError(
            f"the teacher gave no usable answer for any of {said['queries']} queries ({first or 'it writes no text'}); "
            f"mend that and give --restart, which asks it again{hint}"
        )


def _measured_on(recipe: Recipe) -> dict[str, list[Query]]:
    """Name of each held-out and dev set -> its queries."""
    from ..data.dataset import load_dataset

    sets = [load_dataset(folder) for folder in (*recipe.gate.sets, *recipe.dev.sets)]
    return {dataset.name: list(dataset.judged().values()) for dataset in sets}


def _judged(source: Source, judgements: Path | None) -> Iterable[Ranking]:
    from ..formats.graded import grades, with_grades
    from ..formats.qrels import read_qrels

    return source.rankings if judgements is None else with_grades(source.rankings, grades(read_qrels(judgements)))


def _same_job(taught: Path, teacher: Stage, args: argparse.Namespace, source: Any) -> None:
    """Raises ConfigError when the file there is from another teacher, depth or input."""
    from ..core.params import digest
    from ..jobs import file_digest

    record = json.loads(taught.with_name(f"{taught.name}.manifest.json").read_text(encoding="utf-8"))
    inputs = {name: file_digest(path) for name, path in source.inputs.items()}
    before = {name: row["sha256"] for name, row in record["inputs"].items()}
    answers = answers_of(args)
    kept, asked = record.get("answers", {}).get("asked_for"), None if answers is None else repr(answers)
    if record["stage_digest"] != digest(teacher) or record["depth"] != args.depth or inputs != before or kept != asked:
        raise ConfigError(
            f"{taught} was written by another teacher, from another input or other judgements, at another depth or "
            "with other --answers; give another output, or --restart to ask again"
        )
