"""Values of the wrong plain type, such as 'many' for a whole number, by the annotations of what is to be built."""

from __future__ import annotations

import numbers
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union


def hints_of(build: Callable[..., Any]) -> dict[str, Any]:
    """The types of a ``build``'s parameters; none where an annotation is one that only a type checker can read."""
    try:
        return typing.get_type_hints(build)
    except NameError:
        return {}


def mistyped(build: Callable[..., Any], params: Mapping[str, Any]) -> Iterator[tuple[str, Any, tuple[type, ...]]]:
    """(parameter, value, types) where a parameter of plain types was given another one; others are not looked at."""
    hints = hints_of(build)
    for name, value in params.items():
        hint = hints.get(name)
        types = typing.get_args(hint) if typing.get_origin(hint) in (UnionType, Union) else (hint,)
        if all(t in _PLAIN for t in types) and not any(_PLAIN[t](value) for t in types):
            yield name, value, types


_PLAIN: dict[Any, Callable[[Any], bool]] = {
    type(None): lambda value: value is None,
    bool: lambda value: isinstance(value, bool),
    int: lambda value: isinstance(value, numbers.Integral) and not isinstance(value, bool),
    float: lambda value: isinstance(value, numbers.Real) and not isinstance(value, bool),
    str: lambda value: isinstance(value, (str, Path)),
    Path: lambda value: isinstance(value, (str, Path)),
}
"""Types that a parameter may be annotated with, and what may be given for them."""


def said(name: str, value: Any, types: tuple[type, ...]) -> str:
    """What is wrong, for a message."""
    wanted = " or ".join(t.__name__ for t in types if t is not type(None))
    return f"{name}={value!r} is a {type(value).__name__}, expected {wanted}"
