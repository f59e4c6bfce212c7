"""A loss taken apart into how much each document counts (weight) and where its gradient points (direction).

Source: GMR (arXiv 2510.14824), "Supervised Fine-Tuning or Contrastive Learning?". With equal choices the gradients are
those of the softmax cross-entropy on z_yes (``contrastive``) and of yes/no fine-tuning (``sft``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import ConfigError, ScoreError
from ._lists import FAR, torch


@dataclass(frozen=True)
class WeightedDirection:
    """Called with logits (lists, documents, 2), the last axis z_no and z_yes, and labels (lists, documents) of which
    exactly one per list is above 0; the rest are negatives.

    weight: ``contrastive`` is each negative's share of the softmax over z_yes, and one minus the positive's share;
    ``sft`` is the probability of the wrong word; ``none`` is 1. direction: ``yes`` moves z_yes alone, ``difference``
    z_yes - z_no. saturation: no weight for a positive whose p(yes) is above 1 - saturation, nor for a negative below
    it. Summed over documents, mean over lists; the value is no likelihood, only its gradient has a meaning.
    """

    weight: Literal["contrastive", "sft", "none"] = "sft"
    direction: Literal["yes", "difference"] = "difference"
    saturation: float = 0.0

    def __post_init__(self) -> None:
        if self.weight not in ("contrastive", "sft", "none") or self.direction not in ("yes", "difference"):
            raise ConfigError(f"weight={self.weight!r}, direction={self.direction!r}: no such choice")

    def __call__(self, logits: Any, labels: Any, mask: Any = None) -> Any:
        t = torch()
        if logits.dim() != 3 or logits.shape[-1] != 2 or logits.shape[:2] != labels.shape:
            raise ScoreError(
                f"expected logits (lists, documents, 2) and labels (lists, documents), got "
                f"{tuple(logits.shape)} and {tuple(labels.shape)}"
            )
        real = t.ones_like(labels, dtype=t.bool) if mask is None else mask.bool()
        positive = real & (labels > 0)
        if bool((positive.sum(1) != 1).any()):
            raise ScoreError("each list needs exactly one positive label")
        no, yes = logits.float().unbind(-1)
        wrong = self._weights(no.detach(), yes.detach(), positive, real)
        if self.saturation:
            p = (yes - no).detach().sigmoid()
            sure = t.where(positive, p > 1 - self.saturation, p < self.saturation)
            wrong = wrong.masked_fill(sure, 0)
        moved = yes if self.direction == "yes" else yes - no
        sign = t.where(positive, -1.0, 1.0)
        return (sign * wrong * moved).masked_fill(~real, 0).sum(1).mean()

    def _weights(self, no: Any, yes: Any, positive: Any, real: Any) -> Any:
        t = torch()
        if self.weight == "none":
            return t.ones_like(yes)
        if self.weight == "sft":
            p = (yes - no).sigmoid()
            return t.where(positive, 1 - p, p)
        share = yes.masked_fill(~real, FAR).softmax(1)
        return t.where(positive, 1 - share, share)
