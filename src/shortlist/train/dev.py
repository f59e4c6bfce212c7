"""Looks at a development set while a student is trained: the measure over time, the best weights, an early end.

A look saves the student as it is and opens the folder with the package's own runtime, as a user and the gate do, so
its number is the number of the model that would be kept (rounding, windows and mixtures with the first stage
included), not an estimate from the training graph. It costs what saving, loading and ranking cost. Random numbers are
put back as they were, so a training that is looked at gives the weights of one that is not.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import load
from ..core.errors import ConfigError
from ..core.extras import need
from ..core.types import Ranking
from ..evaluate import evaluate
from ..measures import parse_all
from ..pipeline import Stage
from .gate import HeldOut
from .leaks import LeakReport, without_leaks
from .students import Student

COLUMN = "dev_"
_SCRATCH = "dev-model-"


@dataclass(frozen=True)
class Dev:
    """sets: BEIR folders, read as the gate's are; their queries are left out of training, and none may be the gate's.
    every: updates between two looks; None makes about ten. The last update is always looked at. measure: over all
    queries of all sets together. depth: candidates of a query. keep_best: save the weights of the best look (of equal
    ones the earliest), not the last ones. patience: looks without a new best after which training ends; None never
    does."""

    sets: tuple[str, ...] = ()
    every: int | None = None
    measure: str = "nDCG@10"
    depth: int = 100
    keep_best: bool = False
    patience: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.sets, str):
            raise ConfigError(f"dev.sets={self.sets!r}: expected a list of folders, such as [{self.sets!r}]")
        for name in ("every", "depth", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"dev.{name}={value}: expected 1 or more")
        if len(parse_all(self.measure)) != 1:
            raise ConfigError(f"dev.measure={self.measure!r}: expected one measure")


@dataclass(slots=True)
class Looks:
    """What the looks found: (update, value), and for how many there has been no new best."""

    patience: int | None = None
    history: list[tuple[int, float]] = field(default_factory=list)

    def add(self, step: int, value: float) -> bool:
        """Whether it is the best so far; an equal one is not."""
        new = not self.history or value > self.best[1]
        self.history.append((step, value))
        return new

    @property
    def best(self) -> tuple[int, float]:
        return max(self.history, key=lambda look: (look[1], -look[0]))

    @property
    def exhausted(self) -> bool:
        """Patience is at its end."""
        if self.patience is None or not self.history:
            return False
        since = [step for step, _ in self.history].index(self.best[0])
        return len(self.history) - 1 - since >= self.patience


def measured(stage: Stage, sets: Sequence[HeldOut], measure: str) -> dict[str, float]:
    """The measure over all queries of the sets, and of each set when there are several: ``dev_MEASURE``,
    ``dev_MEASURE NAME``."""
    (name,) = (str(one) for one in parse_all(measure))
    pooled: list[Ranking] = []
    judged: dict[str, Mapping[str, int]] = {}
    found: dict[str, float] = {}
    for held in sets:
        ranked = stage.apply(held.rankings)
        if len(sets) > 1:
            found[f"{COLUMN}{name} {held.name}"] = evaluate(ranked, held.grades, name).means[name]
        pooled += [replace(r, query=replace(r.query, id=f"{held.name}/{r.query.id}")) for r in ranked]
        judged |= {f"{held.name}/{query}": documents for query, documents in held.grades.items()}
    return {f"{COLUMN}{name}": evaluate(pooled, judged, name).means[name], **found}


def apart(sets: Sequence[HeldOut], held_out: Sequence[HeldOut], report: LeakReport) -> list[HeldOut]:
    """The dev sets without the queries of the gate's sets, whose verdict would else rest on weights chosen by them.

    Raises ConfigError for two sets of one name, and when nothing is left of one.
    """
    names = [held.name for held in sets]
    if len(set(names)) != len(names):
        raise ConfigError(f"dev sets need different names; given: {names}")
    against = {held.name: [ranking.query for ranking in held.rankings] for held in held_out}
    left = []
    for held in sets:
        kept = tuple(without_leaks(held.rankings, {f"{n} (in dev {held.name})": q for n, q in against.items()}, report))
        ids = {ranking.query.id for ranking in kept}
        missed = held.grades.keys() - {ranking.query.id for ranking in held.rankings}  # judged, nothing found: count 0
        judged = {query: docs for query, docs in held.grades.items() if query in ids or query in missed}
        if not kept or not judged:
            raise ConfigError(
                f"the dev set {held.name} holds no judged query that the gate does not ask; weights must not be chosen "
                "by the gate's questions: give another set"
            )
        left.append(HeldOut(held.name, kept, judged))
    return left


def look(student: Student, module: Any, dev: Dev, sets: Sequence[HeldOut], folder: Path) -> dict[str, float]:
    """``measured`` of the model as it would be saved now."""
    with _as_if_nothing(), tempfile.TemporaryDirectory(dir=folder, prefix=_SCRATCH, ignore_cleanup_errors=True) as made:
        model = Path(made) / "model"
        student.save(module, model)
        opened = student.runs_with(str(model))
        if opened["method"] == "late-interaction":  # the user's cache is not for models that nobody keeps
            opened["cache"] = str(Path(made) / "cache")
        return measured(load(opened.pop("method"), **opened), sets, dev.measure)


def clear(folder: Path) -> None:
    """Remove what a look that was killed has left."""
    for path in folder.glob(f"{_SCRATCH}*"):
        shutil.rmtree(path, ignore_errors=True)


def saved_looks(state: Path, dev: Dev) -> Looks:
    """The looks that a checkpoint's state (a JSON file) knows. Raises ConfigError when there was no dev set then."""
    found = json.loads(state.read_text(encoding="utf-8")).get("stateful_callbacks", {}).get("Watch")
    if found is None:
        raise ConfigError(f"{state} is of a training without a dev set; resume with the same recipe")
    history = [(int(step), float(value)) for step, value in found["attributes"]["history"]]
    return Looks(dev.patience, history)


@contextmanager
def _as_if_nothing() -> Iterator[None]:
    """Random numbers go on afterwards as if nothing had been drawn."""
    torch = need("torch>=2.4", extra="train")
    before = (random.getstate(), np.random.get_state(), torch.get_rng_state())
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
