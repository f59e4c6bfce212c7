"""A griffe extension for the reference pages: doctests in docstrings become code blocks, not quotations."""

from __future__ import annotations

from typing import Any

import griffe


class Doctests(griffe.Extension):
    """Puts fences around each run of ``>>>`` lines with its output."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """The text with every doctest inside a fence."""
    out: list[str] = []
    inside = False
    for line in text.split("\n"):
        begins = line.lstrip().startswith(">>> ")
        if begins and not inside:
            out, inside = [*out, "```pycon"], True
        elif inside and not line.strip():
            out, inside = [*out, "```"], False
        out.append(line)
    return "\n".join([*out, "```"] if inside else out)
