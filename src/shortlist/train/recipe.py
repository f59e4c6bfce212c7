"""A recipe: everything that decides a training, as one value and as a TOML file.

A file has ``name``, ``summary``, ``source`` and the tables ``[student]``, ``[objective]`` or ``[reinforce]``,
``[grouping]``, ``[settings]``, ``[[data]]``, ``[dev]`` and ``[gate]``; a table's ``type`` is the name of a student, a
loss or a normaliser. The recipes of the package lie in ``recipes/``; ``available_recipes`` lists them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import losses
from ..core.errors import ConfigError, UnknownName, listed, nearest
from ..core.params import build, params_of
from ..measures import parse_all
from . import students
from .batches import Grouping
from .dev import Dev
from .objective import Objective
from .reinforce import Reinforce
from .settings import Settings
from .students import Student

FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Data:
    """A training file; the licence of its texts and who scored them go into the card."""

    path: str
    licence: str = ""
    teacher: str = ""


@dataclass(frozen=True)
class Gate:
    """When the result is accepted: see ``gate``. sets: BEIR folders that were not trained on; their queries are left
    out of training. baseline: a method of the registry, or ``first-stage``; params: its parameters."""

    sets: tuple[str, ...] = ()
    measure: str = "nDCG@10"
    margin: float = 0.01
    baseline: str = "first-stage"
    params: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 100

    def __post_init__(self) -> None:
        if isinstance(self.sets, str):
            raise ConfigError(f"gate.sets={self.sets!r}: expected a list of folders, such as [{self.sets!r}]")
        if self.margin < 0 or self.depth < 1:
            raise ConfigError(f"gate.margin={self.margin}, gate.depth={self.depth}: expected 0 or more, 1 or more")
        if len(parse_all(self.measure)) != 1:
            raise ConfigError(f"gate.measure={self.measure!r}: expected one measure")


@dataclass(frozen=True)
class Recipe:
    """objective or reinforce: what is minimised, or what is rewarded; one of them. source, teacher, base_licence,
    limits: what the card says. teacher is that of the publication: it is named, not asked; who scored the data at hand
    is said there."""

    name: str
    summary: str
    student: Student
    objective: Objective | None = None
    grouping: Grouping = field(default_factory=Grouping)
    settings: Settings = field(default_factory=Settings)
    data: tuple[Data, ...] = ()
    gate: Gate = field(default_factory=Gate)
    reinforce: Reinforce | None = None
    dev: Dev = field(default_factory=Dev)
    source: str = ""
    teacher: str = ""
    base_licence: str = ""
    limits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.objective is None) == (self.reinforce is None):
            raise ConfigError("a recipe has either [objective], what is minimised, or [reinforce], what is rewarded")


_KNOWN: dict[str, Any] = {
    **{name: getattr(losses, name) for name in losses.__all__ if name != "ListLoss"},
    **{name: getattr(students, name) for name in students.__all__},
}
_PARTS = {
    "objective": Objective,
    "reinforce": Reinforce,
    "grouping": Grouping,
    "settings": Settings,
    "dev": Dev,
    "gate": Gate,
}


def available_recipes() -> list[str]:
    """Names of the package's recipes.

    >>> "margin-mse" in available_recipes()
    True
    """
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_recipe(name: str | Path, changes: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe by its name or path. changes: ``{"settings.steps": 100}``, put into the file's tables first. With
    another ``student.base`` the file's ``base_licence``, which is of its own base, is forgotten.

    Raises UnknownName when there is none, ConfigError for what is wrong in it.
    """
    path = Path(name)
    if not path.is_file():
        path = FOLDER / f"{name}.toml"
        if not path.is_file():
            raise UnknownName("recipe (or file)", str(name), available_recipes())
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML document: {error}") from error
    base = _base_of(table)
    for place, value in (changes or {}).items():
        _put(table, place.split("."), value)
    if _base_of(table) != base and "base_licence" not in (changes or {}):
        table.pop("base_licence", None)
    try:
        return _recipe(table)
    except (ConfigError, TypeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _recipe(table: dict[str, Any]) -> Recipe:
    given = {name: value for name, value in table.items() if name != "type"}
    unknown = sorted(set(given) - set(Recipe.__dataclass_fields__))
    if unknown:
        known = Recipe.__dataclass_fields__
        raise ConfigError(f"unknown entry {unknown[0]!r}; {nearest(unknown[0], known)}known: {listed(known)}")
    missing = [name for name in ("name", "summary", "student") if name not in given]
    if missing:
        raise ConfigError(f"the entry {missing[0]!r} is missing")
    for name, kind in _PARTS.items():
        if name in given:
            given[name] = {"type": _path(kind), **given[name]}
    rows = given.get("data", ())
    if isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"data={rows!r}: expected [[data]] tables, each with a path (or FILE on the command line)")
    given["data"] = [{"type": _path(Data), **row} for row in rows]
    built = {name: build(_with_paths(value)) for name, value in given.items()}
    if not isinstance(built["student"], Student):
        raise ConfigError(f"[student] needs a type, one of {', '.join(_students())}")
    return Recipe(**built)


def _with_paths(value: Any) -> Any:
    """Short names of types written out."""
    if isinstance(value, list):
        return [_with_paths(v) for v in value]
    if not isinstance(value, dict):
        return value
    done = {k: _with_paths(v) for k, v in value.items()}
    kind = done.get("type")
    if isinstance(kind, str) and ":" not in kind and kind not in ("none", "mapping", "function"):
        if kind not in _KNOWN:
            raise UnknownName("type", kind, _KNOWN)
        done["type"] = _path(_KNOWN[kind])
    return done


def _path(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _base_of(table: Mapping[str, Any]) -> object:
    student = table.get("student")
    return student.get("base") if isinstance(student, Mapping) else None


def _put(table: dict[str, Any], place: list[str], value: Any) -> None:
    for name in place[:-1]:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{'.'.join(place)}: {name} is no table")
    table[place[-1]] = value


def _students() -> list[str]:
    return [name for name, kind in _KNOWN.items() if isinstance(kind, type) and issubclass(kind, Student)]


def changed(part: Any, **values: Any) -> Any:
    """A part with other values, as a new object: nothing that it has read already is kept."""
    return type(part)(**{**params_of(part), **values})
