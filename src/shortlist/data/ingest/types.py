"""What reading a file gives: texts with their places, and what was noticed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...core.errors import InputError


class Unreadable(InputError):
    """A file from which no text can be had; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading that stands at ``offset`` of a text. level: 1 to 6."""

    offset: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Extract:
    """The text of one file, or of one record of a file.

    id: unique in the file; empty for a file that is one text. pages: offset at which each page begins. lines: offsets
    in ``text`` are offsets in the file, so that line numbers mean something. first_line: of a record in its file.
    fields: what else a record held.
    """

    text: str
    id: str = ""
    title: str | None = None
    pages: tuple[int, ...] = ()
    headings: tuple[Heading, ...] = ()
    lines: bool = False
    first_line: int | None = None
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not taken in. path: relative to what was searched. line: of a record, else ``None``."""

    path: str
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.reason}"
