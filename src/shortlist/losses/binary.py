"""Each document by itself: binary cross-entropy, and its focal form.

Sources: Nogueira and Cho 2019, arXiv 1901.04085; Lin et al. 2017, arXiv 1708.02002 (focal loss; GLiClass trains with
it). The loss of a "yes" or "no" token (yes/no SFT) is ``BinaryCrossEntropy`` on the difference of the two logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ._lists import lists, mean_where


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """Targets are probabilities of relevance, in [0, 1]; mean over documents. positive_weight: of the relevant part."""

    positive_weight: float = 1.0

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        s, t, real = lists(scores, targets, mask)
        return mean_where(_parts(s, t, self.positive_weight), real)


@dataclass(frozen=True)
class Focal:
    """Binary cross-entropy times (1 - p)^gamma, where p is the probability of what is right; mean over documents.

    alpha: weight of positives, 1 - alpha that of negatives; below 0 no weight. gamma 0 and alpha -1 is the plain loss.
    """

    alpha: float = 0.25
    gamma: float = 2.0

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        s, t, real = lists(scores, targets, mask)
        p = s.sigmoid()
        right = p * t + (1 - p) * (1 - t)
        loss = _parts(s, t, 1.0) * (1 - right).clamp(min=0) ** self.gamma
        if self.alpha >= 0:
            loss = loss * (self.alpha * t + (1 - self.alpha) * (1 - t))
        return mean_where(loss, real)


def _parts(scores: Any, targets: Any, positive_weight: float) -> Any:
    """-w t log sigmoid(s) - (1 - t) log sigmoid(-s)."""
    from torch.nn.functional import softplus

    return positive_weight * targets * softplus(-scores) + (1 - targets) * softplus(scores)
