"""Pairs in the right order: RankNet, plain, weighted by ranks (FIRST) or by the teacher's margin, or with soft targets.

Sources: Burges et al. 2005 (ICML); RankGPT's distillation (arXiv 2304.09542); FIRST (arXiv 2406.15657, equation 4:
1 / (r_i + r_j)); E2Rank (arXiv 2510.22733: plain); Weighted RankNet of Margin-MSE's authors (arXiv 2010.02666); DeAR
(arXiv 2508.16998: soft targets).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import ConfigError
from ._lists import lists, mean_where, pairs_above, ranks


@dataclass(frozen=True)
class RankNet:
    """softplus(s_j - s_i) for pairs in which i is to stand above j; equal targets make no pair.

    weight: ``none``; ``ranks`` is 1 / (r_i + r_j), ranks from 1 by target; ``margin`` is t_i - t_j, scaled to a mean of
    1 over the list's pairs. The sum is divided by the number of pairs, not by the weights, as FIRST's code does it.
    soft: the target of a pair is sigmoid((t_i - t_j) / temperature) instead of 1, over every two documents.
    """

    weight: Literal["none", "ranks", "margin"] = "none"
    soft: bool = False
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.weight not in ("none", "ranks", "margin") or self.temperature <= 0:
            raise ConfigError(
                f"weight={self.weight!r}, temperature={self.temperature}: expected none, ranks or margin, above 0"
            )
        if self.soft and self.weight == "margin":
            raise ConfigError("soft targets hold the margins already; use weight 'none' or 'ranks' with them")

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        from torch.nn.functional import softplus

        s, t, real = lists(scores, targets, mask)
        margins, wanted = s[:, :, None] - s[:, None, :], t[:, :, None] - t[:, None, :]
        if self.soft:
            chosen = (real[:, :, None] & real[:, None, :]).triu(diagonal=1)
            share = (wanted / self.temperature).sigmoid()
            loss = share * softplus(-margins) + (1 - share) * softplus(margins)
        else:
            chosen = pairs_above(t, real)
            loss = softplus(-margins)
        if self.weight == "ranks":
            r = ranks(t, real).float()
            loss = loss / (r[:, :, None] + r[:, None, :])
        elif self.weight == "margin":
            gap = wanted * chosen
            counts = chosen.sum((1, 2), keepdim=True)
            loss = loss * gap * counts / gap.sum((1, 2), keepdim=True).clamp(min=1e-12)
        return mean_where(loss, chosen)
