"""Pairs weighted by what their order is worth in nDCG: LambdaRank and the LambdaLoss framework.

Source: Wang et al. 2018 (CIKM), "The LambdaLoss Framework for Ranking Metric Optimization".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import ConfigError
from ._lists import FAR, lists, mean_where, torch


@dataclass(frozen=True)
class LambdaLoss:
    """-weight_ij * log2 sigmoid(sigma (s_i - s_j)) for pairs t_i > t_j, mean over all pairs of all lists.

    Gains are 2^target - 1 over the ideal DCG, so targets are grades (from 0). weight: ``ndcg2pp`` (mu times ``ndcg2``
    plus ``lambdarank``), ``ndcg2``, ``ndcg1``, ``lambdarank`` or ``none``, from gains and discounts at the student's
    present ranks. ``ndcg1`` sums over every two documents, each with itself included, as the paper has it. k: only
    pairs of which one document is among the student's first k, and the ideal DCG at k.
    """

    weight: Literal["ndcg2pp", "ndcg2", "ndcg1", "lambdarank", "none"] = "ndcg2pp"
    k: int | None = None
    sigma: float = 1.0
    mu: float = 10.0

    def __post_init__(self) -> None:
        if self.weight not in ("ndcg2pp", "ndcg2", "ndcg1", "lambdarank", "none"):
            raise ConfigError(f"weight={self.weight!r}: expected ndcg2pp, ndcg2, ndcg1, lambdarank or none")

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        t = torch()
        s, grades, real = lists(scores, targets, mask)
        order = s.masked_fill(~real, FAR).argsort(dim=1, descending=True, stable=True)
        s, grades, real = s.gather(1, order), grades.gather(1, order).clamp(min=0), real.gather(1, order)
        place = t.arange(1, s.shape[1] + 1, device=s.device)
        discount = 1 / t.log2(1.0 + place)
        best = grades.masked_fill(~real, 0).sort(1, descending=True).values.exp2() - 1
        ideal = (best * discount)[:, : self.k].sum(1)
        gain = (grades.exp2() - 1) * real / ideal.clamp(min=1e-10)[:, None]
        chosen = real[:, :, None] & real[:, None, :]
        if self.weight != "ndcg1":
            chosen = chosen & (grades[:, :, None] > grades[:, None, :])
        if self.k is not None:
            head = place <= self.k
            chosen = chosen & (head[:, None] | head[None, :])
        logs = t.nn.functional.logsigmoid(self.sigma * (s[:, :, None] - s[:, None, :])) / t.log(t.tensor(2.0))
        return mean_where(-logs * self._weights(gain.detach(), discount), chosen)

    def _weights(self, gain: Any, discount: Any) -> Any:
        if self.weight == "none":
            return 1.0
        if self.weight == "ndcg1":
            return (gain * discount)[:, :, None]
        gaps = (gain[:, :, None] - gain[:, None, :]).abs()
        lambda_rank = (discount[:, None] - discount[None, :]).abs() * gaps
        if self.weight == "lambdarank":
            return lambda_rank
        t = torch()
        steps = (t.arange(len(discount))[:, None] - t.arange(len(discount))[None, :]).abs().to(gain.device)
        near = 1 / t.log2(1.0 + steps.clamp(min=1))
        far = 1 / t.log2(2.0 + steps)
        between = (near - far).abs().masked_fill(steps == 0, 0)
        ndcg2 = between * gaps
        return ndcg2 if self.weight == "ndcg2" else self.mu * ndcg2 + lambda_rank
