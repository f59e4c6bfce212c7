"""Budgets and the treatment of failures, set on every stage inside a pipeline that has them; whether one is down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal

from ..pipeline import Stage
from .budget import Budget


def limited(
    stage: Stage, *, budget: Budget | None = None, on_error: Literal["raise", "unscored"] | None = None
) -> Stage:
    """``stage`` with the budget (per query, for each scheduled stage inside it) and the ``on_error`` set everywhere.

    ``None`` leaves what there is. Stages without such parameters stay as they are; see ``budgeted``.
    """
    given: dict[str, Any] = {"budget": budget, "on_error": on_error}
    names = _names(stage)
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None and name in names}
    changes |= _changed(stage, lambda one: limited(one, budget=budget, on_error=on_error))
    return replace(stage, **changes) if changes else stage  # type: ignore[type-var]


def innermost(stage: Stage, change: Callable[[Stage], Stage]) -> Stage:
    """``stage`` with every stage inside it that holds no others changed; itself changed, when it holds none."""
    changes = _changed(stage, lambda one: innermost(one, change))
    return replace(stage, **changes) if changes else change(stage)  # type: ignore[type-var]


def budgeted(stage: Stage) -> bool:
    """Whether a budget would limit anything in ``stage``."""
    return "budget" in _names(stage) or any(budgeted(one) for _, inner in _inner(stage) for one in inner)


def outage(stage: object) -> str:
    """Why an endpoint inside ``stage`` answers nobody any more; empty while all answer that were asked."""
    if isinstance(stage, tuple):
        return next(filter(None, map(outage, stage)), "")
    if not is_dataclass(stage) or isinstance(stage, type):
        return ""
    said = getattr(stage, "outage", "")
    return said or outage(tuple(getattr(stage, f.name) for f in fields(stage) if f.init))


def _names(stage: Stage) -> set[str]:
    return {f.name for f in fields(stage) if f.init} if is_dataclass(stage) else set()


def _inner(stage: Stage) -> Iterator[tuple[str, tuple[Stage, ...]]]:
    """The parameters of a stage that are stages themselves, alone or in a tuple."""
    for name in _names(stage):
        value = getattr(stage, name)
        if isinstance(value, Stage):
            yield name, (value,)
        elif isinstance(value, tuple) and value and all(isinstance(one, Stage) for one in value):
            yield name, value


def _changed(stage: Stage, change: Callable[[Stage], Stage]) -> dict[str, Any]:
    """The parameters of a stage that hold stages, with these changed."""
    changes: dict[str, Any] = {}
    for name, stages in _inner(stage):
        new = tuple(map(change, stages))
        changes[name] = new if isinstance(getattr(stage, name), tuple) else new[0]
    return changes
