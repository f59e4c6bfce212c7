"""Stages of a cascade or a fallback chain as a user writes them: names of methods, or tables with their parameters.

    stages = ["cross-encoder", {method = "rankgpt", model = "http://localhost:8000/v1", window = 20}]

``model`` and ``options`` of the whole go to the stages that ask a language model and name no model of their own;
``backend`` to every stage that names neither.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.errors import ConfigError
from ..core.registry import RERANKERS
from ..pipeline import Stage

Written = str | Mapping[str, Any]
"""A method's name, or a table: ``method``, the method's own parameters, ``name`` to be called otherwise, and ``depth``
where that has a meaning."""


@dataclass(frozen=True, slots=True)
class Named:
    """A stage that was built. depth: what its table says, if it does."""

    name: str
    stage: Stage
    depth: int | None = None


def built(
    stages: Sequence[Written], *, model: str | None, options: Mapping[str, Any] | None, backend: Any
) -> tuple[Named, ...]:
    """The stages in their order. Raises ConfigError for none, for a table without ``method``, and as ``load`` does."""
    if isinstance(stages, (str, Mapping)) or not stages:
        raise ConfigError(f'stages={stages!r}: expected a list such as ["cross-encoder", "rankgpt"]')
    made = tuple(_built(stage, model, options, backend) for stage in stages)
    if model is not None and backend is None and not any(_takes(_name(stage), "options") for stage in stages):
        raise ConfigError(f"model={model!r}: no stage asks a language model; give each its model in a table of its own")
    return made


def _built(written: Written, model: str | None, options: Mapping[str, Any] | None, backend: Any) -> Named:
    name = _name(written)  # also checks what was written
    table = {} if isinstance(written, str) else dict(written)
    depth, called = table.pop("depth", None), table.pop("name", name)
    own = {key: value for key, value in table.items() if key != "method"}
    if "model" not in own and "backend" not in own:
        shared = {"backend": backend} if backend is not None else {}
        if not shared and _takes(name, "options"):
            shared = {"model": model, "options": {**(options or {}), **own.pop("options", {})}}
        own |= {key: value for key, value in shared.items() if _takes(name, key)}
    return Named(str(called), RERANKERS.load(name, **own), depth)


def _name(written: Written) -> str:
    name = written.get("method") if isinstance(written, Mapping) else written
    if not isinstance(name, str):
        raise ConfigError(f"a stage is a method's name, or a table with `method` and its parameters; given {written!r}")
    return name


def _takes(name: str, parameter: str) -> bool:
    return parameter in inspect.signature(RERANKERS.module(name).build).parameters
