"""A judge of answers: the documents are candidate answers to the query, and the best of them is wanted (best-of-N).

Source: Xu et al. 2025, arXiv 2510.17793 (FARE).

Modes: ``knockout`` (pairs; the winner meets the next answer), ``allpair`` (every pair), ``rating`` (a grade for each
answer alone), ``verification`` (correct or not; equal verdicts keep their order). A query's instruction is what the
rating asks of an answer, and the reference answer in a verification. Prompts are in our words; the paper does not say
how its best-of-N pairs the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..core.protocols import GenerateBackend, Readout, Schedule
from ..drive import Scheduled
from ..readouts import Rating, Verdict
from ..schedules import AllPairs, BubbleTopK, EliminationTournament, Map
from ._language_model import asking

paradigm = "pairwise"
extra = "http or local"

Mode = Literal["knockout", "allpair", "rating", "verification"]


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    mode: Mode = "knockout",
    prompt: str | None = None,
    both_orders: bool = True,
    k: int = 1,
    high: float = 10.0,
) -> Scheduled:
    """model, options: see ``_language_model``. prompt: another one than the mode's own. high: the best grade.

    both_orders: each pair is asked in both orders and only an agreement counts; without it a knockout is a tree, which
    needs fewer steps. k: leading ranks that a knockout settles.
    """
    sequential, tree = BubbleTopK(1, k, both_orders=True), EliminationTournament(2, 1, k)
    modes: dict[str, tuple[str, Readout, Schedule]] = {
        "knockout": ("fare-pairwise", Verdict(), sequential if both_orders else tree),
        "allpair": ("fare-pairwise", Verdict(), AllPairs(both_orders)),
        "rating": ("fare-rating", Rating(0.0, high), Map()),
        "verification": ("fare-verification", Rating(0.0, 1.0), Map()),
    }
    own, readout, schedule = modes[mode]
    return Scheduled(asking(prompt or own, readout, model, backend, options), schedule)
