"""Groupwise grades as JSON after reasons; shuffled groups, repeated, and the mean of the grades.

Source: Sun et al. 2025, arXiv 2511.11653 (GroupRank).

Groups of 20. The published fusion with the first stage (.6 / .4) is ``fuse.interpolate``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import JsonScores
from ..schedules import RepeatShuffled
from ._language_model import asking

paradigm = "listwise"
extra = "http or local"

CHECK = {"high": 200.0}  # the oracle's grades go beyond 10


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "grouprank",
    size: int = 20,
    times: int = 2,
    seed: int = 0,
    high: float = 10.0,
) -> Scheduled:
    """model, options: see ``_language_model``. times: how often every document is graded. high: the best grade."""
    scorer = asking(prompt, JsonScores(high=high, fenced=True), model, backend, options)
    return Scheduled(scorer, RepeatShuffled(size, times, seed))
