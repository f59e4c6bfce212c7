"""Documents longer than a model's window: split into passages, score each, aggregate. Nothing is cut silently.

Source: Dai and Callan 2019, SIGIR (FirstP, MaxP, SumP); the mean is used here instead of the sum, which favours long
documents.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from ..core.errors import ConfigError, ScoreError
from ..core.types import Repair

Aggregate = Literal["max", "first", "mean"]
Splitter = Callable[[str], Sequence[str]]
"""A text as passages that each fit the model's window; a text that fits comes back as one passage."""


def split_all(texts: Sequence[str], split: Splitter | None) -> tuple[list[str], list[int]]:
    """All passages of all texts in one list, and how many belong to each text (at least one, also for an empty
    text)."""
    passages: list[str] = []
    counts: list[int] = []
    for text in texts:
        parts = (split(text) if split else [text]) or [text]
        passages += parts
        counts.append(len(parts))
    return passages, counts


def aggregate(scores: Sequence[float], counts: Sequence[int], how: Aggregate) -> list[float]:
    """One score per text from the scores of its passages.

    >>> aggregate([1.0, 3.0, 2.0], [2, 1], "max")
    [3.0, 2.0]
    """
    if how not in ("max", "first", "mean"):
        raise ConfigError(f"aggregate={how!r}: expected 'max', 'first' or 'mean'")
    if len(scores) != sum(counts):
        raise ScoreError(f"{sum(counts)} passages were given to the model, {len(scores)} scores came back")
    if any(math.isnan(score) for score in scores):
        raise ScoreError("the model gave NaN as the score of a passage")
    out, start = [], 0
    for count in counts:
        part = [float(s) for s in scores[start : start + count]]
        out.append(max(part) if how == "max" else part[0] if how == "first" else sum(part) / count)
        start += count
    return out


def split_repair(passages: int) -> tuple[Repair, ...]:
    """The record that a document was split; none when it fitted."""
    return (Repair("split_into_passages", passages),) if passages > 1 else ()
