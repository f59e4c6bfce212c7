"""Vectors that should not say the same: the squared distance of their cosines from the identity.

Source: MVP (arXiv 2509.07485), the regulariser of its views.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.errors import ScoreError
from ._lists import torch


@dataclass(frozen=True)
class Orthogonality:
    """mean over lists of ||A A^T - I||_F^2, A the normalised rows of vectors (lists, views, dim)."""

    def __call__(self, vectors: Any) -> Any:
        t = torch()
        if vectors.dim() != 3:
            raise ScoreError(f"expected vectors of shape (lists, views, dim), got {tuple(vectors.shape)}")
        rows = t.nn.functional.normalize(vectors.float(), dim=-1)
        off = rows @ rows.transpose(1, 2) - t.eye(rows.shape[1], device=rows.device)
        return (off**2).sum((1, 2)).mean()
