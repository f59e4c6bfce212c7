"""Weighted sums of losses over lists.

Sources of common ones: FIRST (arXiv 2406.15657: the language model's loss plus 10 times rank-weighted RankNet), E2Rank
(arXiv 2510.22733: InfoNCE plus 2 times RankNet of ten times the cosine), DeAR (arXiv 2508.16998: .9 of the label loss
plus .1 T^2 KL at T = 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.errors import ConfigError
from ._lists import ListLoss


@dataclass(frozen=True)
class Sum:
    """weight * loss, summed. Every loss is given the same scores and targets.

    labels: positions of the losses that are given ``labels`` instead of the teacher's targets, where both exist.
    """

    losses: tuple[tuple[float, ListLoss], ...]
    labels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.losses:
            raise ConfigError("a sum of no losses; give (weight, loss) pairs")
        if any(not 0 <= i < len(self.losses) for i in self.labels):
            raise ConfigError(f"labels={self.labels}: expected positions from 0 to {len(self.losses) - 1}")

    def __call__(self, scores: Any, targets: Any, mask: Any = None, labels: Any = None) -> Any:
        total: Any = 0.0
        for i, (weight, loss) in enumerate(self.losses):
            wanted = labels if i in self.labels and labels is not None else targets
            total = total + weight * loss(scores, wanted, mask)
        return total
