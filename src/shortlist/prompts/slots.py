"""Placeholders of templates: ``{query}``, ``{passage}`` ...; a doubled brace is a brace.

Only names are allowed: no attributes, conversions or format specifications, so a template cannot reach into objects,
and braces in documents are just text.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from string import Formatter

from ..core.errors import ConfigError

Piece = tuple[str, str | None]
"""Literal text, and the name of the placeholder behind it (None at the end)."""


@lru_cache(maxsize=1024)
def pieces(text: str) -> tuple[Piece, ...]:
    """``text`` taken apart. Raises ConfigError for braces that do not pair and for anything but plain names.

    >>> pieces("[{id}] x")
    (('[', 'id'), ('] x', None))
    """
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise ConfigError(f"{error}; write {{{{ and }}}} for braces that are text") from error
    for _, name, spec, conversion in parsed:
        if name is not None and (not name.isidentifier() or spec or conversion):
            raise ConfigError(f"'{{{name}}}' is no plain name; write {{{{ and }}}} for braces that are text")
    return tuple((literal, name) for literal, name, _, _ in parsed)


def names(text: str) -> frozenset[str]:
    """The placeholders in ``text``.

    >>> sorted(names("{query} {{x}} {num}"))
    ['num', 'query']
    """
    return frozenset(name for _, name in pieces(text) if name is not None)


def fill(text: str, values: Mapping[str, str]) -> str:
    """``text`` with its placeholders replaced; braces inside the values stay as they are.

    >>> fill("{{{id}}} {passage}", {"id": "1", "passage": "a {b}"})
    '{1} a {b}'
    """
    out: list[str] = []
    for literal, name in pieces(text):
        out.append(literal)
        if name is not None:
            out.append(values[name])
    return "".join(out)
