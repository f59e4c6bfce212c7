"""A recipe carried out: data read and kept apart from the evaluation sets, training, gate, manifest, card.

The output folder is the model, ready to be opened; ``training/`` in it holds the recipe, checkpoints,
``metrics.jsonl``, ``manifest.json``, the gate's verdict (``gate.json``, ``gate.md``) and the report.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import load
from ..core.errors import ConfigError
from ..core.params import describe, from_toml, to_toml
from ..core.types import Ranking
from ..formats.atomic import atomic_text
from ..jobs import manifest
from ..pipeline import Stage
from .card import card
from .dev import apart
from .gate import HeldOut, Unchanged, Verdict, gate, held_out_folder
from .leaks import LeakReport
from .loop import Trained
from .recipe import Recipe
from .record import Progress
from .reinforce import reinforce
from .report import Report, write_report
from .smoke import small, small_data
from .stored import Joined, stored, without
from .students._open import quiet
from .trainer import train

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
) -> Result:
    """Train, save to ``output``, measure and describe.

    smoke: with a tiny random model and a few updates, on generated data unless the recipe names files.

    Raises ConfigError when there is nothing to train on, or the output holds another training.
    """
    records = output / RECORDS
    records.mkdir(parents=True, exist_ok=True)
    leaks = LeakReport()
    samples: Sequence[Ranking]
    sets, dev_sets = _sets(recipe, leaks, smoke=smoke)
    if smoke:
        recipe = small(recipe, records / "base")
        samples, held, looked_at = small_data()
        sets, dev_sets = sets or [held], dev_sets or [looked_at]
    if not smoke or recipe.data:
        samples = _samples(recipe, sets, dev_sets, leaks)
    quiet()
    opened = recipe.student.runs_with(str(output))
    _same_recipe(records / "recipe.toml", recipe, resume=resume)
    teach: Any = (train, recipe.objective) if recipe.reinforce is None else (reinforce, recipe.reinforce)
    trained = teach[0](
        recipe.student, samples, teach[1], recipe.grouping, recipe.settings, records, resume=resume,
        progress=progress, dev=recipe.dev, dev_sets=dev_sets,
    )  # fmt: skip
    if not trained.main_process:
        return Result(output, trained, None, leaks, opened)
    recipe.student.save(trained.module, output)
    verdict = _measured(recipe, opened, sets)
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
    return without(everything, against, leaks) if against else everything


def _same_recipe(path: Path, recipe: Recipe, *, resume: bool) -> None:
    """Writes the recipe; a training that is resumed must have had the same one (entries that were unknown then have
    their defaults)."""
    text = to_toml(recipe)
    if resume and path.exists() and to_toml(from_toml(path.read_text(encoding="utf-8"))) != text:
        raise ConfigError(f"{path} differs from the recipe given now; resume with the same one, or choose a new folder")
    with atomic_text(path) as out:
        out.write(text)


def _measured(recipe: Recipe, opened: dict[str, Any], sets: list[HeldOut]) -> Verdict | None:
    if not sets:
        return None
    wanted = recipe.gate
    baseline: Stage = Unchanged() if wanted.baseline == "first-stage" else load(wanted.baseline, **wanted.params)
    options = {name: value for name, value in opened.items() if name != "method"}
    return gate(baseline, load(opened["method"], **options), sets, measure=wanted.measure, margin=wanted.margin)


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
        "data": [{**describe(row), "samples": len(stored(row.path))} for row in recipe.data],
        "left_out": {**trained.left_out, **{f"query of {name}": n for name, n in leaks.found.items()}},
        "trained": counts,
        "opens_with": recipe.student.runs_with(str(output)),
        "gate": None if verdict is None else verdict.to_dict(),
    }
