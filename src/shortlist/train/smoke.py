"""A recipe made small enough to be tried anywhere: a tiny random model, generated data, a few updates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..backends.transformers.local import Task
from ..core.lock import locked
from ..core.types import Ranking
from .gate import HeldOut, held_out
from .generated import generated
from .recipe import Recipe, changed
from .reinforce.options import SMOKE_DOCUMENTS
from .students import CrossEncoder
from .students._prompts import Prompted
from .tiny import tiny_model

UPDATES, LOOK_EVERY = 6, 3


def small(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with a tiny base model, made in ``folder``, and short settings; its losses are untouched."""
    student = recipe.student
    decoder = isinstance(student, Prompted) or (isinstance(student, CrossEncoder) and student.query != "{text}")
    task: Task = "causal" if decoder and student.task == "classification" else student.task
    task = "embedding" if task == "classification" else task
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name("base.lock")):  # under torchrun several processes want it
        if not (folder / "tokenizer.json").is_file():
            tiny_model(folder, task, decoder=decoder)
    sizes = {"smallest": min(recipe.grouping.smallest, 4), "largest": min(recipe.grouping.largest, 6)}
    settings = changed(
        recipe.settings, batch=4, accumulate=1, steps=UPDATES, learning_rate=1e-3, precision="fp32", save_every=3,
        log_every=1, optimiser="adamw_torch", workers=0,
    )  # fmt: skip
    own = student.smoke_changes(folder)
    if student.lora is not None:
        own["lora"] = replace(student.lora, quantise=None)
    wanted = recipe.reinforce
    if wanted is not None:
        wanted = wanted.small()
        sizes |= {"smallest": SMOKE_DOCUMENTS, "largest": SMOKE_DOCUMENTS} if wanted.kind.pointwise else {}
        settings = changed(settings, save_every=wanted.uses)
    return replace(
        recipe,
        reinforce=wanted,
        student=changed(student, base=str(folder), dtype="float32", **own),
        grouping=changed(recipe.grouping, answered=recipe.grouping.answered and bool(recipe.data), **sizes),
        settings=settings,
        dev=replace(recipe.dev, every=LOOK_EVERY),
        base_licence="none needed: random weights",
        limits=("a smoke run: a tiny random model and a few updates; it can do nothing", *recipe.limits),
    )


def small_data() -> tuple[list[Ranking], HeldOut, HeldOut]:
    """Samples to train on, others to be measured on, and others to be looked at while training."""
    held = held_out("generated", generated(12, 8, seed=2, name="held-out-"))
    return generated(24, 8, seed=1), held, held_out("generated-dev", generated(6, 8, seed=3, name="dev-"))
