"""A recipe carried out: data read and kept apart from the evaluation sets, training, gate, manifest, card.

The output folder is the model, ready to be opened; ``training/`` in it holds the recipe, checkpoints,
``metrics.jsonl``, ``manifest.json`` and the gate's verdict (``gate.json``, ``gate.md``).
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
from ..core.params import describe, to_toml
from ..core.types import Ranking
from ..formats.atomic import atomic_text
from ..jobs import manifest
from ..pipeline import Stage
from .card import card
from .gate import HeldOut, Unchanged, Verdict, gate, held_out_folder
from .leaks import LeakReport
from .recipe import Recipe
from .smoke import small, small_data
from .stored import Joined, stored, without
from .trainer import Progress, Trained, train

RECORDS = "training"


@dataclass(frozen=True, slots=True)
class Result:
    """What ``run_recipe`` did. verdict: None without held-out sets, and in processes other than the first."""

    folder: Path
    trained: Trained
    verdict: Verdict | None
    leaks: LeakReport
    opens_with: dict[str, Any]


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
    sets = [held_out_folder(folder, depth=recipe.gate.depth) for folder in recipe.gate.sets]
    if smoke:
        recipe = small(recipe, records / "base")
        samples, held = small_data()
        sets = sets or [held]
    if not smoke or recipe.data:
        samples = _samples(recipe, sets, leaks)
    opened = recipe.student.runs_with(str(output))
    _same_recipe(records / "recipe.toml", recipe, resume=resume)
    trained = train(
        recipe.student, samples, recipe.objective, recipe.grouping, recipe.settings, records, resume=resume,
        progress=progress,
    )  # fmt: skip
    if not trained.main_process:
        return Result(output, trained, None, leaks, opened)
    recipe.student.save(trained.module, output)
    verdict = _measured(recipe, opened, sets)
    _describe(recipe, output, trained, verdict, leaks)
    return Result(output, trained, verdict, leaks, opened)


def _samples(recipe: Recipe, sets: Sequence[HeldOut], leaks: LeakReport) -> Sequence[Ranking]:
    """All files one after the other, without the queries of the held-out sets."""
    if not recipe.data:
        raise ConfigError(f"recipe {recipe.name!r} names no training file; give one")
    everything = Joined([stored(row.path) for row in recipe.data])
    against = {held.name: [ranking.query for ranking in held.rankings] for held in sets}
    return without(everything, against, leaks) if against else everything


def _same_recipe(path: Path, recipe: Recipe, *, resume: bool) -> None:
    """Writes the recipe; a training that is resumed must have had the same one."""
    text = to_toml(recipe)
    if resume and path.exists() and path.read_text(encoding="utf-8") != text:
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
    record["versions"] |= {name: version(name) for name in ("accelerate", "peft") if find_spec(name)}
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
    counts = {"updates": trained.updates, "seen": trained.seen, "resumed": trained.resumed, "loss": trained.loss}
    return {
        "recipe": {name: describe(getattr(recipe, name)) for name in named},
        **{name: describe(getattr(recipe, name)) for name in ("student", "objective", "grouping", "settings")},
        "base": {"name": str(recipe.student.base), "digest": recipe.student.loaded.digest},
        "data": [{**describe(row), "samples": len(stored(row.path))} for row in recipe.data],
        "left_out": {**trained.left_out, **{f"query of {name}": n for name, n in leaks.found.items()}},
        "trained": counts,
        "opens_with": recipe.student.runs_with(str(output)),
        "gate": None if verdict is None else verdict.to_dict(),
    }
