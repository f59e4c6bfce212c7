"""The likelihood of the teacher's order under Plackett-Luce: ListMLE, position-aware, truncated, or without the easy.

Sources: Xia et al. 2008 (ICML, ListMLE); Lan et al. 2014 (UAI, p-ListMLE); CPRD (Chen et al. 2024, arXiv 2407.07479:
the positions before the first document that the teacher finds easy).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import ConfigError
from ._lists import FAR, lists, mean_of_lists, torch


@dataclass(frozen=True)
class ListMLE:
    """-sum_j [s_j - logsumexp of s_j and all below it], in the order of the targets (ties in list order).

    top: how many leading positions count; None is all. valid: positions whose target is below it do not count, nor
    all behind the first such one (CPRD's J*); their documents stay among the losers. position: ``exponential`` weights
    position j of n by 2^(n - j) - 1, scaled to a sum of 1 (p-ListMLE). reduce: per list the ``sum`` over positions or
    their ``mean``; then the mean over lists.
    """

    top: int | None = None
    valid: float | None = None
    position: Literal["none", "exponential"] = "none"
    reduce: Literal["sum", "mean"] = "sum"

    def __post_init__(self) -> None:
        if self.top is not None and self.top < 1:
            raise ConfigError(f"top={self.top}: expected 1 or more, or None for all")
        if self.position not in ("none", "exponential") or self.reduce not in ("sum", "mean"):
            raise ConfigError(f"position={self.position!r}, reduce={self.reduce!r}: no such choice")

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        s, t, real = lists(scores, targets, mask)
        order = t.masked_fill(~real, float("-inf")).argsort(dim=1, descending=True, stable=True)
        s, t, real = s.gather(1, order), t.gather(1, order), real.gather(1, order)
        below = s.masked_fill(~real, FAR).flip(1).logcumsumexp(1).flip(1)
        terms = (below - s).masked_fill(~real, 0)
        counted = real if self.valid is None else real & (t >= self.valid)
        if self.top is not None:
            counted = counted & (torch().arange(s.shape[1], device=s.device) < self.top)
        weights = counted.float() * self._weights(real)
        total = (terms * weights).sum(1)
        if self.reduce == "mean":
            total = total / weights.sum(1).clamp(min=1e-12)
        return mean_of_lists(total, counted.any(1).float())

    def _weights(self, real: Any) -> Any:
        if self.position == "none":
            return 1.0
        behind = real.sum(1, keepdim=True) - torch().arange(1, real.shape[1] + 1, device=real.device)
        scale = (real.sum(1, keepdim=True) - 120).clamp(min=0)  # 2^127 is the largest float32
        weights = (2.0 ** (behind - scale).float() - 2.0 ** (-scale).float()) * real
        return weights / weights.sum(1, keepdim=True).clamp(min=1e-30)
