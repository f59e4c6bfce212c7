"""A margin between every two candidates that grows with their distance in rank.

Source: BRIO (Liu et al. 2022, arXiv 2203.16804), the contrastive loss; usable for rerankers as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ._lists import lists, mean_where, torch


@dataclass(frozen=True)
class OffsetMargin:
    """For each distance i from 1: the mean over j of max(0, s_{j+i} - s_j + margin * i), in the order of the targets;
    summed over the distances.

    gold: scores of the references (lists,), given when called; then ``gold_weight`` times the mean over j of
    max(0, s_j - gold + gold_margin) is added. Means run over all lists, as in the authors' code.
    """

    margin: float = 0.001
    gold_margin: float = 0.0
    gold_weight: float = 1.0

    def __call__(self, scores: Any, targets: Any, mask: Any = None, gold: Any = None) -> Any:
        s, t, real = lists(scores, targets, mask)
        order = t.masked_fill(~real, float("-inf")).argsort(dim=1, descending=True, stable=True)
        s, real = s.gather(1, order), real.gather(1, order)
        loss = torch().zeros((), device=s.device) + 0 * s.sum()
        for i in range(1, s.shape[1]):
            loss = loss + mean_where((s[:, i:] - s[:, :-i] + self.margin * i).clamp(min=0), real[:, i:] & real[:, :-i])
        if gold is not None:
            behind = (s - gold[:, None] + self.gold_margin).clamp(min=0)
            loss = loss + self.gold_weight * mean_where(behind, real)
        return loss
