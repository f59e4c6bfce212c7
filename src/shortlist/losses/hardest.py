"""A loss that reads only the documents which the student itself finds hardest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.errors import ConfigError
from ._lists import ListLoss, lists, ranks


@dataclass(frozen=True)
class Hardest:
    """The loss on the ``k`` documents of a list with the student's highest scores, the list's first one left out.

    The first is the positive, which another loss deals with. The choice has no gradient. With ``ListMLE`` it is CPRD
    (Chen et al. 2024, arXiv 2407.07479), whose k is not known to us.

    >>> import torch
    >>> from shortlist.losses import ListMLE
    >>> scores = torch.tensor([[9.0, 1.0, 5.0, 4.0]], requires_grad=True)
    >>> Hardest(ListMLE(), k=2)(scores, torch.tensor([[3.0, 2.0, 1.0, 0.0]])).backward()
    >>> (scores.grad != 0).tolist()
    [[False, False, True, True]]
    """

    loss: ListLoss
    k: int = 16

    def __post_init__(self) -> None:
        if self.k < 2:
            raise ConfigError(f"k={self.k}: expected 2 or more, since one document has no order")

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        s, t, real = lists(scores, targets, mask)
        others = real.clone()
        others[:, 0] = False
        return self.loss(s, t, others & (ranks(s.detach(), others) <= self.k))
