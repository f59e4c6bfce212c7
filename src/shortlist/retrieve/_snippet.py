"""The part of a passage that best shows why it was found."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ._analysis import Analysis, normalise

WIDTH = 280  # characters: three or four lines of a terminal
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Snippet:
    """text: one line. marks: (start, end) of the words that the query names too. cut_before, cut_after: the passage
    goes on there."""

    text: str
    marks: tuple[tuple[int, int], ...]
    cut_before: bool
    cut_after: bool

    def marked(self, before: str, after: str) -> str:
        """The text with ``before`` and ``after`` around each mark, and dots where it was cut."""
        parts, position = ["… " if self.cut_before else ""], 0
        for start, end in self.marks:
            parts += [self.text[position:start], before, self.text[start:end], after]
            position = end
        return "".join([*parts, self.text[position:], " …" if self.cut_after else ""])


def snippet(text: str, terms: frozenset[str], analysis: Analysis, *, width: int = WIDTH) -> Snippet:
    """The stretch of at most ``width`` characters with the most different query terms, the earliest among equals.

    text: of the passage. terms: of the query, as ``analysis`` makes them.

    >>> found = snippet("A flea lives long. " * 3, frozenset({"flea"}), Analysis(), width=40)
    >>> found.marked("[", "]")
    'A [flea] lives long. A [flea] lives long. A …'
    """
    line = _SPACE.sub(" ", normalise(text)).strip()
    found = [(term, start, end) for term, start, end in analysis.spans(line) if term in terms]
    start = _best_start(found, width) if len(line) > width else 0
    if len(line) - start < width:
        start = max(0, len(line) - width)
    if start:
        start = line.rfind(" ", 0, start + 1) + 1 or start
    end = min(len(line), start + width)
    if end < len(line):
        space = line.rfind(" ", start + 1, end + 1)
        end = space if space > start else end
    inside = [(s - start, e - start) for _, s, e in found if s >= start and e <= end]
    return Snippet(line[start:end].rstrip(), _merged(inside), start > 0, end < len(line))


def _best_start(found: list[tuple[str, int, int]], width: int) -> int:
    best, best_start = (0, 0), 0
    for i, (_, start, _) in enumerate(found):
        inside = [term for term, _, end in found[i : i + 200] if end <= start + width * 3 // 4]
        worth = (len(set(inside)), len(inside))
        if worth > best:
            best, best_start = worth, start
    return max(0, best_start - width // 5)


def _merged(marks: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Overlapping marks (n-grams overlap) as one."""
    merged: list[tuple[int, int]] = []
    for start, end in marks:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
