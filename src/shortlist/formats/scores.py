"""Scores that keep an order: strictly decreasing where trec_eval looks, as close to the real ones as possible.

trec_eval ignores the rank column, holds scores as 32-bit floats and reverses ties, so two equal scores may swap two
documents.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .rows import single

NUDGED = "scores equal to the one before were lowered by the smallest step of a 32-bit float"
FILLED = "documents without a score continue in steps of 1 below the last score"
REPLACED = "queries whose scores are missing or do not descend got rank-derived scores n, n-1, ..., 1"


@dataclass(frozen=True, slots=True)
class Written:
    """Scores to write, one per document in rank order, strictly decreasing as 32-bit floats; and what was changed."""

    scores: tuple[float, ...]
    nudged: int = 0
    filled: int = 0
    replaced: bool = False

    def note(self, notes: Counter[str]) -> None:
        """Add what was changed to ``notes``, one key per kind."""
        notes[NUDGED] += self.nudged
        notes[FILLED] += self.filled
        notes[REPLACED] += self.replaced


def decreasing(scores: Sequence[float | None]) -> Written:
    """Strictly decreasing scores for documents in rank order.

    Real scores stay as they are when they descend. A score equal (as a 32-bit float) to the one before is lowered to
    the next float below it; documents without a score (``None`` or -inf) at the end continue in steps of 1. When
    scores rise anywhere, overflow, or are missing before a document that has one, all are replaced by n, n-1, ..., 1.

    >>> decreasing([2.0, 1.0, None]).scores
    (2.0, 1.0, 0.0)
    >>> decreasing([1.0, 2.0])
    Written(scores=(2.0, 1.0), nudged=0, filled=0, replaced=True)
    """
    real = list(scores)
    while real and (real[-1] is None or real[-1] == -math.inf):
        real.pop()
    values = [s for s in real if s is not None]
    if len(values) < len(real) or not real or not _descends(values):
        return Written(tuple(float(n) for n in range(len(scores), 0, -1)), replaced=bool(scores))
    written, nudged = [values[0]], 0
    for value in values[1:]:
        if single(value) >= single(written[-1]):
            value = _below(single(written[-1]))
            nudged += 1
        written.append(value)
    for _ in range(len(scores) - len(real)):
        last = single(written[-1])
        written.append(min(single(last - 1.0), _below(last)))
    if not all(math.isfinite(single(s)) for s in written):  # the steps left the range of a 32-bit float
        return Written(tuple(float(n) for n in range(len(scores), 0, -1)), replaced=True)
    return Written(tuple(written), nudged, len(scores) - len(real))


def _descends(values: Sequence[float]) -> bool:
    if any(math.isinf(single(v)) or math.isnan(v) for v in values):
        return False
    return all(a >= b for a, b in pairwise(values))


def _below(value: float) -> float:
    """The largest 32-bit float below ``value``, which is one itself."""
    if value == 0.0:
        return float(struct.unpack("<f", struct.pack("<I", 0x80000001))[0])
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return float(struct.unpack("<f", struct.pack("<I", bits - 1 if value > 0 else bits + 1))[0])
