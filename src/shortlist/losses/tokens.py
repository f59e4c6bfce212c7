"""Text that should not be written: the unlikelihood of a sequence.

Source: Welleck et al. 2020, arXiv 1908.04319; with label smoothing as in PGA (Adams et al. 2023, arXiv 2305.17779).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.errors import ScoreError
from ._lists import torch


@dataclass(frozen=True)
class Unlikelihood:
    """-log(1 - p(token)), mean over tokens. Called with logits (rows, tokens, vocabulary), the tokens (rows, tokens)
    and a mask that is True where a token counts.

    smoothing: that share of the loss goes to all tokens of the vocabulary alike.
    """

    smoothing: float = 0.0

    def __call__(self, logits: Any, tokens: Any, mask: Any = None) -> Any:
        t = torch()
        if logits.dim() != 3 or logits.shape[:2] != tokens.shape:
            raise ScoreError(f"expected logits (rows, tokens, vocabulary), got {tuple(logits.shape)}")
        real = t.ones_like(tokens, dtype=t.bool) if mask is None else mask.bool()
        p = logits.float().softmax(-1).clamp(max=1 - 1e-6)
        logs = (1 - p).log()
        own = -logs.gather(-1, tokens.masked_fill(~real, 0)[..., None])[..., 0]
        loss = (1 - self.smoothing) * own + self.smoothing * -logs.mean(-1)
        return (loss * real).sum() / real.sum().clamp(min=1)
