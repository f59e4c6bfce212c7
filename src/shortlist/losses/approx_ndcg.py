"""One minus nDCG with smooth ranks.

Source: Qin, Liu and Li 2010 (Information Retrieval 13), ApproxNDCG.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.errors import ConfigError
from ._lists import lists, mean_of_lists, torch


def smooth_ranks(scores: Any, real: Any, alpha: float) -> Any:
    """1 + sum over the other documents j of sigmoid(alpha (s_j - s_i)); shape (lists, documents)."""
    t = torch()
    others = real[:, None, :] & ~t.eye(scores.shape[1], dtype=t.bool, device=scores.device)
    return 1 + ((scores[:, None, :] - scores[:, :, None]) * alpha).sigmoid().masked_fill(~others, 0).sum(2)


@dataclass(frozen=True)
class ApproxNDCG:
    """1 - DCG(smooth ranks) / ideal DCG, gains 2^target - 1, mean over the lists that have a positive gain.

    temperature: of the smooth ranks; the smaller, the closer to nDCG and the smaller the gradient.
    """

    temperature: float = 0.1

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"temperature={self.temperature}: expected above 0")

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        t = torch()
        s, grades, real = lists(scores, targets, mask)
        gains = (grades.clamp(min=0).exp2() - 1).masked_fill(~real, 0)
        place = t.arange(1, s.shape[1] + 1, device=s.device)
        ideal = gains.sort(1, descending=True).values @ (1 / t.log2(1.0 + place))
        found = (gains / (1 + smooth_ranks(s, real, 1 / self.temperature)).log2()).sum(1)
        return mean_of_lists(1 - found / ideal.clamp(min=1e-10), (ideal > 0).float())
