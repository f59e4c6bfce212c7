"""Kullback-Leibler divergence between the distributions of teacher and student over a list.

Sources: Hinton et al. 2015, arXiv 1503.02531 (temperature and its square); ColBERTv2 (arXiv 2112.01488) and
JaColBERTv2.5 (arXiv 2407.20750) for scores of late interaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import ConfigError
from ._lists import FAR, lists, mean_of_lists


@dataclass(frozen=True)
class KL:
    """KL(teacher || student) over softmax(x / temperature), mean over lists ("batchmean").

    direction: ``reverse`` is KL(student || teacher). squared: times temperature^2, which keeps the size of gradients.
    """

    temperature: float = 1.0
    direction: Literal["forward", "reverse"] = "forward"
    squared: bool = False

    def __post_init__(self) -> None:
        if self.temperature <= 0 or self.direction not in ("forward", "reverse"):
            raise ConfigError(
                f"temperature={self.temperature}, direction={self.direction!r}: expected above 0, forward or reverse"
            )

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        s, t, real = lists(scores, targets, mask)
        student = (s / self.temperature).masked_fill(~real, FAR).log_softmax(1)
        teacher = (t / self.temperature).masked_fill(~real, FAR).log_softmax(1)
        p, q = (teacher, student) if self.direction == "forward" else (student, teacher)
        per_list = (p.exp() * (p - q)).masked_fill(~real, 0).sum(1)
        loss = mean_of_lists(per_list, real.any(1).float())
        return loss * self.temperature**2 if self.squared else loss
