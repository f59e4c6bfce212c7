"""What every training does around its trainer: where it starts, how it is looked at, which weights remain.

The same for losses and for rewards; how a batch becomes a gradient is the trainer's business, which is not known here.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from .dev import Dev, Looks, clear, look, saved_looks
from .gate import HeldOut
from .record import Progress, Row, recorder
from .settings import Settings
from .students import Student
from .watch import METRICS, best_file, drop_best, put_back, watcher

STATE = "trainer_state.json"


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training did. module: the trained weights. updates: that were made, fewer than planned when patience ended
    it. resumed: updates that an earlier, killed run had done. seen: groups per update, all processes together.
    left_out: reason -> samples that could not be trained on. looks: (update, dev measure). kept: the update whose
    weights these are."""

    module: Any
    updates: int
    resumed: int
    samples: int
    seen: int
    loss: float
    left_out: dict[str, int]
    main_process: bool
    looks: tuple[tuple[int, float], ...] = ()
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """last: the checkpoint that is continued. world: processes that train together."""

    folder: Path
    last: Path | None
    world: int

    @property
    def done(self) -> int:
        """Updates that an earlier, killed run had done."""
        return 0 if self.last is None else int(self.last.name.rpartition("-")[2])


def start(folder: Path, settings: Settings, *, resume: bool) -> Start:
    """Raises ConfigError when checkpoints are in the way or of another number of processes, or when there are more
    processes than devices."""
    last = last_checkpoint(folder)
    if last is not None and not resume:
        raise ConfigError(f"{folder} holds checkpoints of an earlier training; --resume it, or give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    world = int(settings.arguments(folder, 1).world_size)
    if world == 1 and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("several processes were started, but there is no GPU for them; on CPUs use device='cpu'")
    had = world if last is None else len([*last.glob("rng_state_*.pth")]) or 1  # each process keeps its own
    if had != world:
        raise ConfigError(f"{last} is of {had} processes, and here are {world}; resume with as many, or begin anew")
    return Start(folder, last, world)


@dataclass(frozen=True)
class Looking:
    """A dev set that is looked at while a student is trained; without sets nothing is."""

    student: Student
    dev: Dev | None = None
    sets: Sequence[HeldOut] = ()

    @property
    def keeps_best(self) -> bool:
        return self.dev is not None and self.dev.keep_best

    def at(self, begun: Start, module: Any, updates: int, *, main: bool) -> tuple[Looks, list[Any]]:
        """What was seen so far, and the callback that goes on looking."""
        if self.dev is None or not self.sets:
            return Looks(), []
        looks = Looks(self.dev.patience) if begun.last is None else saved_looks(begun.last / STATE, self.dev)
        if main:
            clear(begun.folder)
            drop_best(begun.folder, lambda step: step > begun.done)
        seen = partial(look, self.student, module, self.dev, self.sets, begun.folder)
        every = self.dev.every or math.ceil(updates / 10)
        return looks, [watcher(module, seen, looks, begun.folder, every, keep_best=self.dev.keep_best)]


def run(
    trainer: Any,
    module: Any,
    begun: Start,
    looking: Looking,
    *,
    samples: int,
    seen: int,
    left_out: dict[str, int],
    progress: Progress,
    row: Row,
    held: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Trained:
    """Train with a transformers ``Trainer`` that is ready, and leave in ``module`` the weights that are wanted.

    row: what of a report is recorded. held: entered while it trains.
    """
    main = bool(trainer.args.process_index == 0)
    looks, watch = looking.at(begun, module, int(trainer.args.max_steps), main=main)
    for callback in (recorder(begun.folder / METRICS, begun.done, progress, rewrite=main, row=row), *watch):
        trainer.add_callback(callback)
    with held():
        result = trainer.train(resume_from_checkpoint=None if begun.last is None else str(begun.last))
    if callable(getattr(trainer.optimizer, "eval", None)):  # schedule-free ones keep the averaged weights apart
        trainer.optimizer.eval()
    made = kept = int(result.global_step)
    if looking.keeps_best and looks.history:
        kept = looks.best[0]
        if main and kept != made:
            put_back(module, best_file(begun.folder, kept))
    loss = float(result.training_loss)
    return Trained(module, made, begun.done, samples, seen, loss, left_out, main, tuple(looks.history), kept)


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end: its state, the last file, is whole."""
    found = [(int(p.name.rpartition("-")[2]), p) for p in folder.glob("checkpoint-*") if re.search(r"-\d+$", p.name)]
    for _, path in sorted(found, reverse=True):
        try:
            json.loads((path / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return path
    return None
