"""Templates from TOML files: those that come with the package, by name, and the user's own, by path.

Keys are the fields of Template; ``[source]`` and ``[[examples]]`` are tables. The file's stem is the name.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, InputError, UnknownName
from .origin import Example, Source
from .template import Template

_FOLDER = "templates"
_LISTS = ("stop", "identifiers")


def available_prompts() -> list[str]:
    """Names of the templates that come with the package."""
    folder = resources.files(__package__) / _FOLDER
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_prompt(name: str | Path) -> Template:
    """The template of that name, or from that path when it is one (ends in ``.toml``).

    Raises UnknownName, InputError for a file that cannot be read, and ConfigError (``file:key: what is wrong``).

    >>> load_prompt("monot5").layout
    'encoder_decoder'
    """
    if isinstance(name, Path) or name.endswith(".toml"):
        path = Path(name)
        return parse_prompt(_text_of(path), path.stem, str(path))
    return _packaged(name)


def prompt_text(name: str | Path) -> str:
    """The TOML text of the template, as ``load_prompt`` finds it."""
    if isinstance(name, Path) or name.endswith(".toml"):
        return _text_of(Path(name))
    if name not in available_prompts():
        raise UnknownName("prompt", name, available_prompts())
    return (resources.files(__package__) / _FOLDER / f"{name}.toml").read_text(encoding="utf-8")


@lru_cache(maxsize=256)
def _packaged(name: str) -> Template:
    return parse_prompt(prompt_text(name), name, f"{name}.toml")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a prompt template: {error}") from error


def parse_prompt(text: str, name: str, where: str) -> Template:
    """A template from TOML text; ``where`` begins the messages of errors."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not a TOML document: {error}") from error
    try:
        return Template(**_values(table, name))
    except ConfigError as error:
        raise ConfigError(f"{where}:{error}") from error


def _values(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    values = _typed(table, Template, "", skip=("name",))
    values["source"] = Source(**_typed(table.get("source", {}), Source, "source."))
    values["examples"] = tuple(Example(**_typed(row, Example, "examples.")) for row in table.get("examples", ()))
    if "neutralise" not in values:
        values["neutralise"] = values.get("identifiers") != "none" and "[{id}]" in values["body"]
    if values.get("paradigm") in ("pointwise", "pairwise"):
        size = 1 if values["paradigm"] == "pointwise" else 2
        values = {"fewest": size, "most": size} | values
    return values | {"name": name}


def _typed(table: object, cls: type, place: str, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """The table's values, checked against the fields of ``cls`` by name and kind."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"{place.rstrip('.')}: {table!r}; expected a table")
    known = {f.name: f for f in fields(cls) if f.name not in skip}
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{place}{key}: unknown key{hint} known: {', '.join(known)}")
    for key, field in known.items():
        if field.default is MISSING and key not in table:
            raise ConfigError(f"{place}{key}: is missing")
    return {key: _value(key, value, str(known[key].type), place) for key, value in table.items()}


def _value(key: str, value: object, kind: str, place: str) -> object:
    if key in ("source", "examples"):
        return value
    if key in _LISTS and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    wanted: type = bool if kind == "bool" else int if "int" in kind.split(" ")[0] else str
    if key == "stop" or type(value) is not wanted:
        expected = "a list of strings" if key == "stop" else f"a value of type {wanted.__name__}"
        raise ConfigError(f"{place}{key}: {value!r}; expected {expected}")
    return value
