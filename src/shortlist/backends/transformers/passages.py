"""Long texts as passages that fit, by the offsets of their tokens. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def split_by_tokens(text: str, offsets: Sequence[tuple[int, int]], room: int, overlap: int = 32) -> list[str]:
    """Passages of at most ``room`` tokens that overlap by ``overlap`` (at most half), or the whole text if it fits.

    >>> split_by_tokens("a b c", [(0, 1), (2, 3), (4, 5)], 2, overlap=1)
    ['a b', 'b c']
    """
    count, room = len(offsets), max(1, room)
    if count <= room:
        return [text]
    step = max(1, room - min(overlap, room // 2))
    starts = range(0, count - room + step, step)
    return [text[offsets[start][0] : offsets[min(start + room, count) - 1][1]] for start in starts]
