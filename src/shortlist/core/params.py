"""Constructor parameters as the configuration: object -> parameters -> TOML -> object, and a digest for caches.

The rule is scikit-learn's: a constructor stores its parameters under their own names and does no work. So the
parameters of an object can be read back, written as TOML, hashed, and the object rebuilt from them. Only this
package's own types are rebuilt from text.
"""

from __future__ import annotations

import enum
import hashlib
import importlib
import inspect
import json
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from .errors import ConfigError, listed, nearest
from .plain_types import mistyped, said

NONE, FUNCTION, MAPPING = "none", "function", "mapping"


def params_of(obj: object) -> dict[str, Any]:
    """The constructor parameters of ``obj`` with their present values.

    >>> from shortlist.core.types import Usage
    >>> params_of(Usage(calls=2))["calls"]
    2
    """
    if is_dataclass(obj) and not isinstance(obj, type):
        return {f.name: getattr(obj, f.name) for f in fields(obj) if f.init}
    try:
        return {name: getattr(obj, name) for name in inspect.signature(type(obj)).parameters}
    except (AttributeError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{type(obj).__module__}:{type(obj).__qualname__} cannot be described: a constructor must store its "
            f"parameters under their own names ({error})"
        ) from error


def describe(value: Any) -> Any:
    """``value`` as plain data (JSON and TOML types); objects become a table with their ``type`` and parameters."""
    if value is None or isinstance(value, (bool, int, str)):
        return str(value) if isinstance(value, enum.Enum) else value
    if isinstance(value, float):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): describe(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted((describe(v) for v in value), key=str)
    if inspect.ismethod(value):
        return {"type": "method", "name": value.__name__, "of": describe(value.__self__)}
    if inspect.isfunction(value) or inspect.isclass(value) or inspect.isbuiltin(value):
        if "<lambda>" in value.__qualname__ or "<locals>" in value.__qualname__:
            raise ConfigError(
                f"{value.__qualname__} in {value.__module__} has no name to be known by; use a named function"
            )
        return f"{value.__module__}:{value.__qualname__}"
    digest = getattr(value, "digest", None)
    if isinstance(digest, str):  # a backend: its weights count, not where they lie or how many threads it uses
        return {"type": _path(type(value)), "digest": digest}
    return {"type": _path(type(value)), **{k: describe(v) for k, v in params_of(value).items()}}


def digest(value: Any) -> str:
    """A short stable hash of what ``describe`` says: equal configuration, equal digest, in every process."""
    text = json.dumps(describe(value), sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def to_toml(obj: object) -> str:
    """``obj`` as a TOML document that ``from_toml`` turns back into an equal object.

    TOML has no null: ``None`` is left out where it is the default and written as ``{type = "none"}`` elsewhere.
    """
    return "\n".join(_lines(_table(obj), ())) + "\n"


def from_toml(text: str) -> Any:
    """Rebuild the object that ``to_toml`` wrote. Raises ConfigError for a type outside this package."""
    try:
        return build(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not a TOML document: {error}") from error


def build(table: Any) -> Any:
    """Plain data back into objects: every table with a ``type`` becomes a constructor call."""
    if isinstance(table, list):
        return tuple(build(v) for v in table)
    if not isinstance(table, dict):
        return table
    values = {k: build(v) for k, v in table.items() if k != "type"}
    if "type" not in table:
        return values
    if table["type"] == NONE:
        return None
    if table["type"] == FUNCTION:
        return _resolve(str(table.get("name")), inspect.isfunction)
    if table["type"] == MAPPING:
        return dict(values["items"])
    cls = _resolve(table["type"], inspect.isclass)
    known = inspect.signature(cls).parameters
    if unknown := [name for name in values if name not in known]:
        raise ConfigError(
            f"{cls.__name__} takes no {unknown[0]!r}; {nearest(unknown[0], known)}it takes: {listed(known)}"
        )
    for name, value, types in mistyped(cls, values):
        raise ConfigError(f"{cls.__name__}: {said(name, value, types)}")
    try:
        return cls(**values)
    except TypeError as error:
        raise ConfigError(f"{table['type']}: {error}") from error


def _table(obj: object) -> dict[str, Any]:
    """The constructor call as a table, without what is None by default."""
    defaults = {name: p.default for name, p in inspect.signature(type(obj)).parameters.items()}
    given = {k: v for k, v in params_of(obj).items() if v is not None or defaults.get(k) is not None}
    return {"type": _path(type(obj)), **given}


def _path(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _resolve(path: str, wanted: Callable[[Any], bool]) -> Any:
    """The class or function that a text names; it must be defined in this package, not just imported by it."""
    module, _, name = path.partition(":")
    if module.split(".")[0] != "shortlist":
        raise ConfigError(f"type {path!r} is outside this package; only shortlist's own types are built from text")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"type {path!r} does not exist: {error}") from error
    if not wanted(found) or found.__module__.split(".")[0] != "shortlist":
        raise ConfigError(f"{path!r} is no type of this package that can be built from text")
    return found


def _lines(table: Mapping[str, Any], prefix: tuple[str, ...]) -> list[str]:
    plain, nested = [], []
    for key, value in table.items():
        if _is_table(value) and not _is_ambiguous(value):
            inner = value if isinstance(value, Mapping) else _table(value)
            nested += ["", f"[{'.'.join((*prefix, _key(key)))}]", *_lines(inner, (*prefix, _key(key)))]
        else:
            plain.append(f"{_key(key)} = {_inline(value)}")
    return plain + nested


def _is_table(value: Any) -> bool:
    if value is None or isinstance(value, (str, bool, int, float, list, tuple, set, frozenset, Path)):
        return False
    return not (inspect.isfunction(value) or inspect.isclass(value))


def _inline(value: Any) -> str:
    if value is None:
        return f'{{type = "{NONE}"}}'
    if inspect.isfunction(value):
        return f'{{type = "{FUNCTION}", name = {json.dumps(describe(value))}}}'
    if _is_ambiguous(value):
        return f'{{type = "{MAPPING}", items = {_inline(list(value.items()))}}}'
    if not (_is_table(value) or isinstance(value, (list, tuple))):
        value = describe(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else str(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_inline(v) for v in value) + "]"
    if not isinstance(value, Mapping):
        value = _table(value)
    return "{" + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + "}"


def _is_ambiguous(value: Any) -> bool:
    """A mapping that would be read back as something else: it has a ``type`` of its own, or keys that are no text."""
    return isinstance(value, Mapping) and ("type" in value or not all(isinstance(key, str) for key in value))


def _key(key: object) -> str:
    text = str(key)
    bare = text and all(c.isascii() and (c.isalnum() or c in "-_") for c in text)
    return text if bare else json.dumps(text, ensure_ascii=False)
