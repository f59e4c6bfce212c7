"""A recipe carried out: data read and kept apart from the evaluation sets, training, gate, manifest, card.

The output folder is the model, ready to be opened; ``training/`` in it holds the recipe, checkpoints,
``metrics.jsonl``, ``manifest.json``, the gate's verdict (``gate.json``, ``gate.md``) and the report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import load
from ..core.errors import ConfigError, InputError
from ..core.params import describe, from_toml, to_toml
from ..core.types import Ranking
from ..evaluate import evaluate
from ..formats.atomic import atomic_text
from ..jobs import file_digest, manifest
from ..pipeline import Stage
from .card import card, short
from .dev import apart
from .gate import HeldOut, Unchanged, check_sets, gate, held_out_folder
from .leaks import LeakReport, all_asked
from .loop import Trained
from .provenance import scored_by
from .recipe import Gate, Recipe
from .record import Progress
from .reinforce import reinforce
from .report import Report, write_report
from .smoke import small, small_data
from .stored import Joined, stored, without
from .students._open import quiet
from .trainer import train
from .verdict import Verdict

RECORDS = "training"
TABLES = ("student", "objective", "reinforce", "grouping", "settings", "dev")


@dataclass(frozen=True, slots=True)
class Result:
    """What ``run_recipe`` did. verdict: None without held-out sets; it and report are None in processes other than the
    first."""

    folder: Path
    trained: Trained
    verdict: Verdict | None
    leaks: LeakReport
    opens_with: dict[str, Any]
    report: Report | None = None


def run_recipe(
    recipe: Recipe,
    output: Path,
    *,
    resume: bool = False,
    smoke: bool = False,
    progress: Progress = lambda done, total: None,
    measuring: Callable[[int], None] = lambda queries: None,
) -> Result:
    """Train, save to ``output``, measure and describe.

    smoke: with a tiny random model and a few updates, on generated data unless the recipe names files. measuring:
    called when the training is over and the gate begins, with the number of its queries.

    Raises ConfigError when no training file is named, the output holds another training, or none that could be resumed;
    InputError when nothing can be trained on.
    """
    records = output / RECORDS
    check_begun(records, resume=resume)
    leaks = LeakReport()
    samples: Sequence[Ranking]
    sets, dev_sets = _sets(recipe, leaks, smoke=smoke)
    if smoke:
        recipe = small(recipe, records / "base")
        samples, held, looked_at = small_data()
        sets, dev_sets = sets or [held], dev_sets or [looked_at]
    if not smoke or recipe.data:
        samples = _samples(recipe, sets, dev_sets, leaks)
    if sets:
        check_sets(sets)
    for measure in (recipe.gate.measure, recipe.dev.measure):  # what is wrong is said before the training, not after it
        evaluate({"q": {"d": 1.0}}, {"q": {"d": 1}}, measure)
    baseline = _baseline(recipe.gate)
    quiet()
    opened = recipe.student.runs_with(str(output))
    records.mkdir(parents=True, exist_ok=True)  # not before: a start that failed leaves nothing
    _same_recipe(records / "recipe.toml", recipe, resume=resume)
    _same_data(records / "data.json", recipe, resume=resume)
    teach: Any = (train, recipe.objective) if recipe.reinforce is None else (reinforce, recipe.reinforce)
    trained = teach[0](
        recipe.student, samples, teach[1], recipe.grouping, recipe.settings, records, resume=resume,
        progress=progress, dev=recipe.dev, dev_sets=dev_sets,
    )  # fmt: skip
    if not trained.main_process:
        return Result(output, trained, None, leaks, opened)
    recipe.student.save(trained.module, output)
    if sets:
        measuring(sum(len(held.rankings) for held in sets))
    verdict = _measured(recipe, baseline, opened, sets)
    _describe(recipe, output, trained, verdict, leaks)
    return Result(output, trained, verdict, leaks, opened, write_report(records))


def _sets(recipe: Recipe, leaks: LeakReport, *, smoke: bool) -> tuple[list[HeldOut], list[HeldOut]]:
    """The gate's held-out sets, and the dev sets without their queries."""
    wanted = recipe.dev
    if not (smoke or wanted.sets) and (wanted.keep_best or wanted.patience is not None):
        raise ConfigError("dev.keep_best and dev.patience need a dev set: give dev.sets, or --dev FOLDER")
    both = {Path(folder).resolve() for folder in recipe.gate.sets} & {Path(folder).resolve() for folder in wanted.sets}
    if both:
        raise ConfigError(
            f"{min(both)} is a dev set and one of the gate's: the gate would judge weights that were chosen by its own "
            "questions; give another dev set"
        )
    sets = [held_out_folder(folder, depth=recipe.gate.depth) for folder in recipe.gate.sets]
    return sets, apart([held_out_folder(folder, depth=wanted.depth) for folder in wanted.sets], sets, leaks)


def _samples(
    recipe: Recipe, sets: Sequence[HeldOut], dev_sets: Sequence[HeldOut], leaks: LeakReport
) -> Sequence[Ranking]:
    """All files one after the other, without the queries of the held-out and the dev sets."""
    if not recipe.data:
        raise ConfigError(f"recipe {recipe.name!r} names no training file; give one")
    everything = Joined([stored(row.path) for row in recipe.data])
    named = [*((f"{held.name} (dev)", held) for held in dev_sets), *((held.name, held) for held in sets)]
    against = {name: [ranking.query for ranking in held.rankings] for name, held in named}
    if not against:
        return everything
    found = LeakReport()
    kept = without(everything, against, found)
    if found.count and not kept:
        raise InputError(all_asked(found))
    leaks.add(found)
    return kept


def check_begun(records: Path, *, resume: bool) -> None:
    """Raises ConfigError when a training is to be resumed where none was begun (nor a teacher asked for one)."""
    if resume and not any((*records.glob("recipe.toml"), *records.glob("taught.jsonl*"))):
        raise ConfigError(f"--resume: {records} holds no training; leave it out to begin one, or give its folder")


def _same_recipe(path: Path, recipe: Recipe, *, resume: bool) -> None:
    """Writes the recipe; a training that is resumed must have had the same one (entries that were unknown then have
    their defaults)."""
    text = to_toml(recipe)
    if resume and path.exists() and to_toml(from_toml(path.read_text(encoding="utf-8"))) != text:
        raise ConfigError(f"{path} differs from the recipe given now; resume with the same one, or choose a new folder")
    with atomic_text(path) as out:
        out.write(text)


def _same_data(path: Path, recipe: Recipe, *, resume: bool) -> None:
    """Writes what the training files hold; those of a training that is resumed must hold the same."""
    found = {row.path: file_digest(row.path) for row in recipe.data}
    before = json.loads(path.read_text(encoding="utf-8")) if resume and path.exists() else found
    other = sorted(name for name in found if before.get(name) != found[name])
    if other:
        raise ConfigError(f"{other[0]} is not what it was when {path.parent.parent} was begun; choose a new folder")
    with atomic_text(path) as out:
        out.write(json.dumps(found, indent=2) + "\n")


def _baseline(wanted: Gate) -> Stage:
    return Unchanged() if wanted.baseline == "first-stage" else load(wanted.baseline, **wanted.params)


def _measured(recipe: Recipe, baseline: Stage, opened: dict[str, Any], sets: list[HeldOut]) -> Verdict | None:
    if not sets:
        return None
    wanted = recipe.gate
    options = {name: value for name, value in opened.items() if name != "method"}
    verdict = gate(baseline, load(opened["method"], **options), sets, measure=wanted.measure, margin=wanted.margin)
    compared = short({"type": wanted.baseline, **wanted.params}) if wanted.params else wanted.baseline
    return replace(verdict, baseline=f"{compared}, of the first {wanted.depth} candidates of each query")


def _describe(recipe: Recipe, output: Path, trained: Trained, verdict: Verdict | None, leaks: LeakReport) -> None:
    facts = _facts(recipe, output, trained, verdict, leaks)
    record = manifest(recipe, inputs={row.path: row.path for row in recipe.data}, **facts)
    record["versions"] |= {name: version(name) for name in ("accelerate", "peft", "trl") if find_spec(name)}
    for row in record["data"]:
        row["sha256"] = record["inputs"][row["path"]]["sha256"]
    page = "" if verdict is None else verdict.markdown()
    files = {"manifest.json": json.dumps(record, indent=2, ensure_ascii=False, default=str) + "\n"}
    if verdict is not None:
        files |= {"gate.json": json.dumps(verdict.to_dict(), indent=2) + "\n", "gate.md": page}
    for name, text in files.items():
        with atomic_text(output / RECORDS / name) as out:
            out.write(text)
    with atomic_text(output / "README.md") as out:
        out.write(card(record, gate=page))


def _facts(
    recipe: Recipe, output: Path, trained: Trained, verdict: Verdict | None, leaks: LeakReport
) -> dict[str, Any]:
    named = ("name", "summary", "source", "teacher", "base_licence", "limits")
    counts: dict[str, Any] = {
        "updates": trained.updates,
        "seen": trained.seen,
        "resumed": trained.resumed,
        "loss": trained.loss,
    }
    counts |= {"looks": [list(one) for one in trained.looks], "kept": trained.kept}
    return {
        "recipe": {name: describe(getattr(recipe, name)) for name in named},
        **{name: describe(getattr(recipe, name)) for name in TABLES},
        "base": {"name": str(recipe.student.base), "digest": recipe.student.loaded.digest},
        "data": [
            {**describe(row), "teacher": row.teacher or scored_by(row.path), "samples": len(stored(row.path))}
            for row in recipe.data
        ],
        "left_out": {**trained.left_out, **{f"query of {name}": n for name, n in leaks.found.items()}},
        "trained": counts,
        "opens_with": recipe.student.runs_with(str(output)),
        "gate": None if verdict is None else verdict.to_dict(),
    }
