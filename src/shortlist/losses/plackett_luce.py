"""Policy gradient for anything that scores: rankings are drawn, and what they are worth moves the scores.

The scores are the logits of a Plackett-Luce distribution over rankings; its expected reward is maximised, with any
reward, by REINFORCE. Sources: Plackett 1975, Luce 1959; drawing by Gumbel noise: Yellott 1977, Kool et al. 2019 (arXiv
1903.06059); the mean of the other samples as baseline: Kool et al. 2019 (ICLR workshop, "Buy 4 REINFORCE samples, get a
baseline for free!"); retrievers trained so: Gao et al. 2023, arXiv 2310.04407 (Neural PG-RANK). PL-Rank's estimator
(Oosterhuis 2021, arXiv 2105.00855) has less variance, but is for sums over documents only; it is not here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import ConfigError
from ._lists import FAR, lists, mean_of_lists, torch

RankingReward = Callable[[Any, Any], Any]
"""(orders, grades) -> rewards: orders (lists, samples, documents) hold places in the list, first rank first; grades are
(lists, documents), 0 for padding, which ranks last; rewards are (lists, samples)."""


@dataclass(frozen=True)
class PlackettLuce:
    """1 - the mean reward of rankings drawn from PL(scores / temperature), with the gradient of its expectation.

    reward: a function of orders and grades that looks at the first k ranks only (k=None: at all); None is nDCG@k with
    the gain 2^grade - 1 (``exponential``) or the grade itself (``linear``), where lists without a positive grade do not
    count. seed: the noise follows from it and the list's scores alone, so a job that continues sees what an undisturbed
    one sees, and padding changes nothing.

    The gradient is exact in the mean, not in one call: its variance falls with the number of samples and grows with k,
    since the likelihood of k choices is differentiated. The baseline (for each sample the mean reward of the others)
    takes out what all samples have in common and leaves the mean where it is. Where the scores are so far apart that
    all samples agree there is no gradient at all: raise the temperature, or train with another loss first.

    >>> import torch
    >>> scores = torch.tensor([[2.0, 0.0]], requires_grad=True)
    >>> PlackettLuce(samples=256)(scores, torch.tensor([[0.0, 1.0]])).backward()
    >>> bool(scores.grad[0, 0] > 0.02 and scores.grad[0, 1] < -0.02)
    True
    """

    k: int | None = 10
    samples: int = 16
    temperature: float = 1.0
    gain: Literal["exponential", "linear"] = "exponential"
    reward: RankingReward | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 2 or self.temperature <= 0 or (self.k is not None and self.k < 1):
            raise ConfigError(
                f"samples={self.samples}, temperature={self.temperature}, k={self.k}: expected 2 or more (the baseline "
                "is the mean of the others), above 0, and 1 or more or None"
            )
        if self.gain not in ("exponential", "linear"):
            raise ConfigError(f"gain={self.gain!r}: expected 'exponential' or 'linear'")

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        s, grades, real = lists(scores, targets, mask)
        s = s / self.temperature
        orders = drawn(s, real, self.samples, self.seed)
        counts = real.any(1)
        if self.reward is None:
            gains = grades.clamp(min=0)
            gains = gains.exp2() - 1 if self.gain == "exponential" else gains
            worth, counts = ndcg(orders, gains, self.k), counts & (gains.sum(1) > 0)
        else:
            worth = self.reward(orders, grades).float()
        baseline = (worth.sum(1, keepdim=True) - worth) / (self.samples - 1)
        chosen = -((worth - baseline) * log_likelihood(s, orders, real, self.k)).mean(1)
        return mean_of_lists(1 - worth.mean(1) + chosen - chosen.detach(), counts.float())


def drawn(scores: Any, real: Any, samples: int, seed: int = 0) -> Any:
    """Rankings from PL(scores): the orders of scores with Gumbel noise. scores, real: (lists, documents); returns
    places (lists, samples, documents), those of padding last."""
    t = torch()
    noisy = t.full((scores.shape[0], samples, scores.shape[1]), float("-inf"))
    there, values = real.cpu(), scores.detach().cpu()
    for row in range(len(values)):
        own = values[row][there[row]]
        name = hashlib.sha256(f"{seed}\n{own.tolist()}".encode()).digest()
        generator = t.Generator().manual_seed(int.from_bytes(name[:7], "big"))
        noise = -t.empty(samples, len(own)).exponential_(generator=generator).log()
        noisy[row][:, there[row]] = own + noise
    return noisy.argsort(dim=2, descending=True, stable=True).to(scores.device)


def log_likelihood(scores: Any, orders: Any, real: Any, k: int | None = None) -> Any:
    """log of how likely it is under PL(scores) that the first k ranks are those of the orders; (lists, samples)."""
    ranked = scores[:, None].expand(orders.shape).gather(2, orders)
    there = real[:, None].expand(orders.shape).gather(2, orders)
    left = ranked.masked_fill(~there, FAR).flip(2).logcumsumexp(2).flip(2)
    return (ranked - left).masked_fill(~there, 0)[..., :k].sum(2)


def ndcg(orders: Any, gains: Any, k: int | None = None) -> Any:
    """nDCG@k of each order (lists, samples); 0 where no gain is positive. gains: (lists, documents)."""
    t = torch()
    discount = 1 / t.log2(2.0 + t.arange(gains.shape[1], device=gains.device))[:k]
    found = (gains[:, None].expand(orders.shape).gather(2, orders)[..., :k] * discount).sum(2)
    ideal = (gains.sort(1, descending=True).values[:, :k] * discount).sum(1, keepdim=True)
    return found / ideal.clamp(min=1e-10)
