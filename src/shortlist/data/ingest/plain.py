"""Text and Markdown files: the text as it stands in the file; Markdown's headings and title are found, its marks
stay."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .types import Extract, Heading

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FRONT_TITLE = re.compile(r"^title:[ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.M)


def read_text(text: str) -> Extract:
    """A plain text: no title, no headings."""
    return Extract(text, lines=True)


def read_markdown(text: str) -> Extract:
    """Title: of the front matter, else the first heading of level 1. Headings inside fenced code do not count.

    >>> extract = read_markdown("# Guide\\n\\nHello.\\n\\n## Install\\n\\npip\\n")
    >>> extract.title, [(h.level, h.text) for h in extract.headings]
    ('Guide', [(1, 'Guide'), (2, 'Install')])
    """
    front = _front_matter_end(text)
    headings = tuple(_headings(text, front))
    titled = _FRONT_TITLE.search(text, 0, front) if front else None
    first = next((h.text for h in headings if h.level == 1), None)
    return Extract(text, title=titled[1] if titled else first, headings=headings, lines=True)


def _headings(text: str, start: int) -> Iterator[Heading]:
    fence = ""
    before: tuple[int, str] | None = None  # the line above, which a line of = or - would make a heading
    position = start
    while position < len(text):
        match = _LINE.match(text, position)
        assert match is not None
        line, here, position = match[0].rstrip("\r\n"), position, match.end()
        fenced = _FENCE.match(line)
        if fence:
            if fenced and fenced[1].startswith(fence) and not line.strip(" `~"):
                fence = ""
            continue
        if fenced:
            fence, before = fenced[1], None
            continue
        atx = _ATX.match(line)
        underline = _UNDERLINE.match(line)
        if atx and atx[2]:
            yield Heading(here, len(atx[1]), atx[2])
        elif underline and before and not before[1].lstrip().startswith((">", "-", "*", "|")):
            yield Heading(before[0], 1 if underline[1][0] == "=" else 2, before[1].strip())
        before = (here, line) if line.strip() and not atx and not underline else None


def _front_matter_end(text: str) -> int:
    if not text.startswith(("---\n", "---\r\n")):
        return 0
    end = re.compile(r"^(?:---|\.\.\.)[ \t]*\r?$", re.M).search(text, 4)
    return end.end() if end else 0
