"""Squared error between the teacher's ranks and smooth ranks of the student, discounted by the teacher's rank.

Source: Schlatt et al. 2025 (ECIR, Rank-DistiLLM), ADR-MSE; smooth ranks after Qin et al. 2010.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ._lists import lists, mean_where
from .approx_ndcg import smooth_ranks


@dataclass(frozen=True)
class ADRMSE:
    """(r_i - smooth rank_i)^2 / log2(r_i + 1), mean over documents; equal targets share their mean rank.

    alpha: sharpness of the smooth ranks, 1 + sum_j sigmoid(alpha (s_j - s_i)).
    """

    alpha: float = 1.0

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        s, t, real = lists(scores, targets, mask)
        above = (t[:, None, :] > t[:, :, None]) & real[:, None, :]
        equal = (t[:, None, :] == t[:, :, None]) & real[:, None, :]
        wanted = above.sum(2).float() + (equal.sum(2).float() + 1) / 2
        error = (wanted - smooth_ranks(s, real, self.alpha)) ** 2
        return mean_where(error / (wanted + 1).clamp(min=2).log2(), real)
