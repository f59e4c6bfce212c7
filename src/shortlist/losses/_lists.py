"""What all losses over lists share: checked float32 tensors, ranks, pairs, and means that leave padding out."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Protocol

from ..core.errors import ScoreError
from ..core.extras import need

FAR = -1e30  # instead of -inf: its exponential is 0 and its gradient is no NaN


class ListLoss(Protocol):
    """scores, targets: (lists, documents); mask: the same, True where there is a document."""

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any: ...


def torch() -> ModuleType:
    """The module, asked for only when a loss is computed."""
    return need("torch>=2.4", extra="local")


def lists(scores: Any, targets: Any, mask: Any = None) -> tuple[Any, Any, Any]:
    """Scores, targets and mask as float32, float32 and bool; padding and missing targets are 0 and not in the mask.

    Raises ScoreError for other shapes than (lists, documents) and for NaN where there is a document.
    """
    t = torch()
    if scores.dim() != 2 or scores.shape != targets.shape or (mask is not None and mask.shape != scores.shape):
        shapes = [tuple(x.shape) for x in (scores, targets, mask) if x is not None]
        raise ScoreError(f"expected scores, targets (and mask) of one shape (lists, documents), got {shapes}")
    real = t.ones_like(scores, dtype=t.bool) if mask is None else mask.bool()
    real = real & (targets != float("-inf"))
    zero = t.zeros((), device=scores.device)
    scores, targets = t.where(real, scores.float(), zero), t.where(real, targets.float(), zero)
    if bool((scores.detach() + targets).isnan().any()):
        raise ScoreError("a score or target of a document is NaN")
    return scores, targets, real


def ranks(values: Any, real: Any) -> Any:
    """Ranks from 1 by falling value, ties in list order; padding ranks last. Shape (lists, documents), int64."""
    order = values.masked_fill(~real, float("-inf")).argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1) + 1


def pairs_above(targets: Any, real: Any) -> Any:
    """(lists, i, j): True where document i has the higher target of two real documents."""
    both = real[:, :, None] & real[:, None, :]
    return both & (targets[:, :, None] > targets[:, None, :])


def mean_of_lists(per_list: Any, counts: Any) -> Any:
    """The mean over the lists that count; 0, with a gradient of 0, when none does."""
    return (per_list * counts).sum() / counts.sum().clamp(min=1)


def mean_where(values: Any, chosen: Any) -> Any:
    """The mean of all chosen values, over all lists; 0 when there are none."""
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
