"""Softmax cross-entropy over a list: one positive among negatives, graded labels, or ListNet's top-one distribution.

Sources: Cao et al. 2007 (ICML, ListNet); Bruch et al. 2019 (ICTIR, softmax cross-entropy with shares of the labels).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import ConfigError
from ._lists import FAR, lists, mean_of_lists


@dataclass(frozen=True)
class SoftmaxCrossEntropy:
    """-sum_i p_i log softmax(scores / temperature)_i, mean over lists.

    targets: what p is. ``share``: each label's share of the list's sum of labels (negative ones count as 0), so that
    1, 0, 0, ... is the usual loss of one positive; lists without a positive label do not count. ``softmax``: the
    softmax of the targets (ListNet).
    """

    targets: Literal["share", "softmax"] = "share"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.targets not in ("share", "softmax") or self.temperature <= 0:
            raise ConfigError(
                f"targets={self.targets!r}, temperature={self.temperature}: expected 'share' or 'softmax', above 0"
            )

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        s, t, real = lists(scores, targets, mask)
        logs = (s / self.temperature).masked_fill(~real, FAR).log_softmax(1)
        if self.targets == "softmax":
            wanted = t.masked_fill(~real, FAR).softmax(1)
            counts = real.any(1).float()
        else:
            gains = t.clamp(min=0)
            wanted = gains / gains.sum(1, keepdim=True).clamp(min=1e-12)
            counts = (gains.sum(1) > 0).float()
        return mean_of_lists(-(wanted * logs).masked_fill(~real, 0).sum(1), counts)
