"""Tournaments: a model picks the best of each group, the picked go on and score a point; points of many rounds add up.

Source: Chen et al. 2024, arXiv 2406.11678 (TourRank).

As published, for 100 documents: five stages, 100 to 50 to 20 to 10 to 5 to 2, in groups of 20, 10, 20, 10 and 5; 13
calls a round in 5 steps; ``rounds=10`` is the paper's best, 2 costs what RankGPT costs. How many are asked for depends
on the group's size alone: 10 of 20, 5 of 10, 2 of 5, half of any other. The paper asks for 4 of 10 in the second stage
and 5 of 10 in the fourth; here both ask for 5, and in the second the first 4 named go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..prompts import Fitted
from ..schedules import PointsTournament
from ..scorers.picks import Share, SharePick, SharePrompt
from ._language_model import asking

paradigm = "setwise"
extra = "http or local"

PUBLISHED = Share(((20, 10), (10, 5), (5, 2)))


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "tourrank",
    rounds: int = 10,
    seed: int = 0,
) -> Scheduled:
    """model, options: see ``_language_model``. rounds: tournaments, side by side. seed: of the shuffling in groups."""
    scorer = asking(prompt, SharePick(PUBLISHED), model, backend, options)
    assert isinstance(scorer.prompt, Fitted)
    return Scheduled(
        replace(scorer, prompt=SharePrompt(scorer.prompt, PUBLISHED)), PointsTournament(rounds=rounds, seed=seed)
    )
