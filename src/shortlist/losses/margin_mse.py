"""Squared error of scores, and of the margins between them.

Source: Hofstätter et al. 2020, arXiv 2010.02666 (Margin-MSE). A constant added to all of a query's teacher scores does
not change Margin-MSE; a factor does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import ConfigError
from ._lists import lists, mean_where, torch


@dataclass(frozen=True)
class MSE:
    """(score - target)^2, mean over documents."""

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        s, t, real = lists(scores, targets, mask)
        return mean_where((s - t) ** 2, real)


@dataclass(frozen=True)
class MarginMSE:
    """((s_i - s_j) - (t_i - t_j))^2, mean over pairs.

    pairs: ``first`` takes the list's first document (the positive of a triple) against each other one, as the paper
    and its successors; ``all`` every two documents.
    """

    pairs: Literal["first", "all"] = "first"

    def __post_init__(self) -> None:
        if self.pairs not in ("first", "all"):
            raise ConfigError(f"pairs={self.pairs!r}: expected 'first' or 'all'")

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        s, t, real = lists(scores, targets, mask)
        error = s - t  # the difference of margins is the difference of errors
        if self.pairs == "first":
            return mean_where((error[:, :1] - error[:, 1:]) ** 2, real[:, :1] & real[:, 1:])
        upper = torch().triu(real[:, :, None] & real[:, None, :], diagonal=1)
        return mean_where((error[:, :, None] - error[:, None, :]) ** 2, upper)
