"""Names from files and entry points: a file in a package *is* a registered name.

``rerank/late_interaction.py`` registers ``late-interaction``. Files that begin with ``_`` are helpers. A third party
registers by an entry point whose value is a module with the same shape: a docstring (first line: what it is;
``Source:`` line: the paper), ``paradigm``, an optional ``extra`` and ``build(**params)``. Modules are imported when
asked for, never to list names.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .errors import ConfigError, UnknownName, listed, nearest
from .plain_types import hints_of, mistyped, said


@dataclass(frozen=True, slots=True)
class Info:
    """What a registered module says about itself."""

    name: str
    summary: str
    source: str
    paradigm: str
    extra: str
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class Registry:
    """All names of one kind. ``package``: dotted path whose files are names; ``group``: entry-point group."""

    kind: str
    package: str
    group: str

    def names(self) -> list[str]:
        """Every name, sorted, dashes for underscores. Imports none of them."""
        return sorted(self._files() | set(self._entry_points()))

    def module(self, name: str) -> ModuleType:
        """The module behind a name; raises UnknownName with the nearest and the known ones."""
        wanted = name.replace("_", "-")
        if wanted in self._files():
            return importlib.import_module(f"{self.package}.{wanted.replace('-', '_')}")
        points = self._entry_points()
        if wanted in points:
            return points[wanted].load()  # type: ignore[no-any-return]
        raise UnknownName(self.kind, name, self.names())

    def load(self, name: str, **params: Any) -> Any:
        """Build the named thing. Raises ConfigError for a parameter that its ``build`` does not take, and for a value
        that is none of a parameter's choices or of another type."""
        build = getattr(self.module(name), "build", None)
        if build is None:
            raise ConfigError(f"{self.kind} {name!r}: its module {self.module(name)!r} has no build()")
        accepted = inspect.signature(build).parameters
        unknown = [p for p in params if p not in accepted]
        if unknown:
            beside = "; what the model takes goes into options (--option NAME=VALUE)" if "options" in accepted else ""
            raise ConfigError(
                f"{self.kind} {name!r} takes no parameter {unknown[0]!r}; {nearest(unknown[0], accepted)}"
                f"it takes: {listed(accepted)}{beside}"
            )
        missing = [
            p.name
            for p in accepted.values()
            if p.default is p.empty and p.kind is p.KEYWORD_ONLY and p.name not in params
        ]
        if missing:
            raise ConfigError(f"{self.kind} {name!r} needs the parameter {missing[0]!r}")
        for wrong, value, choices in _not_a_choice(build, params):
            known = ", ".join(map(repr, choices))
            raise ConfigError(f"{self.kind} {name!r}: {wrong}={value!r}; expected one of {known}")
        for wrong, value, types in mistyped(build, params):
            quoted = f"""; as text it is written {wrong}='"{str(value).lower()}"'""" if str in types else ""
            raise ConfigError(f"{self.kind} {name!r}: {said(wrong, value, types)}{quoted}")
        return build(**params)

    def info(self, name: str) -> Info:
        """Summary, source, paradigm and extra, read from the module."""
        module = self.module(name)
        doc = inspect.getdoc(module) or ""
        source = re.search(r"^Source:\s*(.+?)(?:\n\s*\n|\Z)", doc, re.M | re.S)
        return Info(
            name.replace("_", "-"),
            doc.partition("\n")[0].rstrip("."),
            " ".join(source[1].split()) if source else "",
            getattr(module, "paradigm", ""),
            getattr(module, "extra", ""),
            tuple(inspect.signature(module.build).parameters),
        )

    def _files(self) -> set[str]:
        path = importlib.import_module(self.package).__path__
        return {m.name.replace("_", "-") for m in pkgutil.iter_modules(path) if not m.name.startswith("_")}

    def _entry_points(self) -> dict[str, importlib.metadata.EntryPoint]:
        return {p.name.replace("_", "-"): p for p in importlib.metadata.entry_points(group=self.group)}


def _not_a_choice(build: Callable[..., Any], params: dict[str, Any]) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """(parameter, value, choices) where a parameter that is annotated as a choice (``Literal``) was given no such
    value."""
    hints = hints_of(build)
    for name, value in params.items():
        choices = typing.get_args(hints.get(name)) if typing.get_origin(hints.get(name)) is typing.Literal else ()
        if choices and value not in choices:
            yield name, value, choices


RERANKERS = Registry("reranker", "shortlist.rerank", "shortlist.rerankers")
RETRIEVERS = Registry("retriever", "shortlist.retrieve", "shortlist.retrievers")
