"""Scores brought to a common scale before a loss sees them: the switch behind several findings on distillation.

Sources: JaColBERTv2.5 (arXiv 2407.20750: min-max of teacher and student per query). It does not know losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ..core.errors import ConfigError
from ._lists import ListLoss, lists, ranks


class Normaliser(Protocol):
    """Per list: values (lists, documents) and the mask to values of the same shape."""

    def __call__(self, values: Any, real: Any) -> Any: ...


@dataclass(frozen=True)
class MinMax:
    """(x - min) / (max - min + eps) over the list's documents."""

    eps: float = 1e-8

    def __call__(self, values: Any, real: Any) -> Any:
        low = values.masked_fill(~real, float("inf")).amin(1, keepdim=True).clamp(max=3e38)
        high = values.masked_fill(~real, float("-inf")).amax(1, keepdim=True).clamp(min=-3e38)
        return ((values - low) / (high - low + self.eps)).masked_fill(~real, 0)


@dataclass(frozen=True)
class ZScore:
    """(x - mean) / (standard deviation + eps), the deviation over n."""

    eps: float = 1e-8

    def __call__(self, values: Any, real: Any) -> Any:
        n = real.sum(1, keepdim=True).clamp(min=1)
        centred = (values - values.sum(1, keepdim=True) / n).masked_fill(~real, 0)
        return centred / ((centred**2).sum(1, keepdim=True) / n + 1e-30).sqrt().add(self.eps)


@dataclass(frozen=True)
class Ranks:
    """The negative rank: -1 for the best, -2 ...; without a gradient, so for teachers."""

    def __call__(self, values: Any, real: Any) -> Any:
        return (-ranks(values, real).float()).masked_fill(~real, 0)


@dataclass(frozen=True)
class Scaled:
    """x * factor; ``Scaled(1 / T)`` is a temperature."""

    factor: float

    def __call__(self, values: Any, real: Any) -> Any:
        return values * self.factor


@dataclass(frozen=True)
class Normalised:
    """A loss over lists whose scores and targets are normalised first; None leaves a side as it is."""

    loss: ListLoss
    student: Normaliser | None = None
    teacher: Normaliser | None = None

    def __post_init__(self) -> None:
        if isinstance(self.student, Ranks):
            raise ConfigError("student=Ranks(): ranks have no gradient, so nothing would be learned")

    def __call__(self, scores: Any, targets: Any, mask: Any = None) -> Any:
        s, t, real = lists(scores, targets, mask)
        s = s if self.student is None else self.student(s, real)
        t = t if self.teacher is None else self.teacher(t, real)
        return self.loss(s, t, real)
