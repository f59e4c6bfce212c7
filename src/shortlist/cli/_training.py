"""What ``train``, ``distil`` and ``tune`` share: changes to a recipe, and what is said when it has been carried out."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError
from ._progress import progress_bar

if TYPE_CHECKING:
    from ..train.recipe import Recipe
    from ..train.run import Result
    from ..train.verdict import Verdict

EXIT_REJECTED = 4
_FEW = 30  # held-out queries


def add_training(parser: argparse.ArgumentParser) -> None:
    """What changes a recipe, where the model goes, and how it is measured."""
    add = parser.add_argument
    add("-o", "--output", required=True, metavar="FOLDER", help="the model, with its records in FOLDER/training")
    add("--base", metavar="MODEL", help="base model: a folder, a hub name, or all-MiniLM-L6-v2 (shipped)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", dest="changes",
        help="an entry of the recipe, such as settings.epochs=3 or student.max_length=128")  # fmt: skip
    add("--held-out", action="append", default=[], metavar="FOLDER",
        help="BEIR folder for the evaluation gate; its queries are left out of training")  # fmt: skip
    add("--dev", action="append", default=[], metavar="FOLDER",
        help="BEIR folder to be looked at while training; not one of --held-out; left out of training too")  # fmt: skip
    add("--keep-best", action="store_true", help="save the weights of the best look at --dev, not the last")
    add("--patience", type=int, metavar="N", help="end after N looks at --dev without a new best")
    add("--baseline", metavar="METHOD", help="what the gate compares with (default first-stage)")
    add("--margin", type=float, metavar="M", help="how far one held-out set may fall (default 0.01)")
    add("--resume", action="store_true", help="continue a killed training in FOLDER")
    add("--smoke", action="store_true", help="try it out: tiny random model, generated data, a few updates")
    add("--quiet", action="store_true", help="no progress bar and no summary")


def recipe_of(args: argparse.Namespace, name: str) -> Recipe:
    """The recipe with the changes of the command line."""
    from ..train.recipe import read_recipe

    recipe = read_recipe(name, {**changes(args.changes), **({"student.base": args.base} if args.base else {})})
    dev = recipe.dev
    dev = replace(dev, sets=(*dev.sets, *args.dev)) if args.dev else dev
    dev = replace(dev, keep_best=True) if args.keep_best else dev
    dev = dev if args.patience is None else replace(dev, patience=args.patience)
    gate = recipe.gate
    gate = replace(gate, sets=(*gate.sets, *args.held_out)) if args.held_out else gate
    if args.baseline:  # parameters that were set beside no baseline, or this one, are meant for it
        params = gate.params if gate.baseline in ("first-stage", args.baseline) else {}
        gate = replace(gate, baseline=args.baseline, params=params)
    return replace(recipe, dev=dev, gate=gate if args.margin is None else replace(gate, margin=args.margin))


def carry_out(args: argparse.Namespace, recipe: Recipe) -> int:
    """Train, and say what came of it; 4 when the gate did not accept the model (and it was no smoke run)."""
    from ..train.run import run_recipe

    _warn_of_first_stages(recipe)

    def measuring(queries: int) -> None:
        if not args.quiet:
            print(f"trained; measuring on {queries} held-out queries", file=sys.stderr)

    with progress_bar("training", recipe.settings.steps, quiet=args.quiet) as progress:
        result = run_recipe(
            recipe, Path(args.output), resume=args.resume, smoke=args.smoke, progress=progress, measuring=measuring
        )
    if not args.quiet and result.trained.main_process:
        print("\n".join(_said(result, smoke=args.smoke)), file=sys.stderr)
    rejected = result.verdict is not None and not result.verdict.accepted
    return EXIT_REJECTED if rejected and not args.smoke else 0


def _warn_of_first_stages(recipe: Recipe) -> None:
    """A student of the first stage's scores learns BM25, which is hardly meant."""
    from ..train.provenance import FIRST_STAGE, scored_by

    files = [row.path for row in recipe.data if recipe.grouping.targets == "scores" and not row.teacher]
    for path in files:
        if scored_by(path) == FIRST_STAGE:
            print(f"{path}: its scores are those of {FIRST_STAGE}, and this recipe learns them: distil, or mine --with "
                  "METHOD, asks a teacher", file=sys.stderr)  # fmt: skip


def changes(given: Sequence[str]) -> dict[str, Any]:
    """``["settings.steps=10"]`` as changes; values are TOML where they can be, else text.

    >>> changes(["settings.steps=10", "student.base=a/b"])
    {'settings.steps': 10, 'student.base': 'a/b'}
    """
    found: dict[str, Any] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals or not all(part.isidentifier() for part in name.split(".")):
            raise ConfigError(f"--set {item!r}: expected NAME=VALUE, for example --set settings.epochs=3")
        try:
            found[name] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[name] = text
    return found


def _said(result: Result, *, smoke: bool) -> list[str]:
    trained, opened = result.trained, dict(result.opens_with)
    say = [f"{trained.updates} updates on {trained.samples} samples into {result.folder}"]
    if trained.resumed:
        say.append(f"{trained.resumed} of them by an earlier run")
    say += [f"{count} samples left out: {why}" for why, count in trained.left_out.items()]
    if trained.looks:
        best = max(value for _, value in trained.looks)
        say.append(f"{len(trained.looks)} looks at the dev set, best {best:.4f}; weights of update {trained.kept}")
    say += result.leaks.lines()
    if result.verdict is not None:
        found, *doubt = verdict_lines(result.verdict)
        say.append(found)
        if smoke:
            say.append("a smoke run shows that everything runs; a tiny random model learns nothing worth a figure")
        else:
            say += doubt
    if result.report is not None:
        note = f" ({result.report.note})" if result.report.note else ""
        say.append(f"curves, verdict and facts: {result.report.page}{note}")
    options = opened.pop("options", {})
    call = ["shortlist", "rerank", "...", "--with", opened.pop("method"), "--model", str(opened.pop("model"))]
    for flag, given in (("--param", opened), ("--option", options)):
        known = {name: value for name, value in given.items() if value is not None}
        call += [word for name, value in known.items() for word in (flag, f"{name}={_toml(value)}")]
    return [*say, f"run it with: {shlex.join(call)}"]


def verdict_lines(verdict: Verdict) -> list[str]:
    """What the gate found, and a warning when few queries decided."""
    _, row = verdict.rows[-1]
    against = verdict.baseline.partition(",")[0]
    change = f"{row.baseline_mean:.4f} -> {row.mean:.4f} ({row.low:+.4f}..{row.high:+.4f})"
    said = [f"{verdict.measure} against {against}: {change}, {verdict.said}"]
    queries = row.wins + row.ties + row.losses
    return [*said, f"{queries} held-out queries decide little"] if queries < _FEW else said


def _toml(value: Any) -> str:
    """As ``parse_params`` reads it; text stays text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {json.dumps(v)}" for k, v in value.items()) + "}"
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        tomllib.loads(f"value = {value}")  # true, 1, [x]: text that would be read as something else
    except tomllib.TOMLDecodeError:
        return value
    return json.dumps(value)
