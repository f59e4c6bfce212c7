"""A student is fitted to lists: Adam on one loss, nothing else, so that what differs between two runs is the loss."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import ConfigError
from ..core.extras import need
from ..losses import ListLoss, Sum
from .values import Architecture, Lists, Weights


@dataclass(frozen=True)
class Training:
    """steps: updates. batch: lists of one update. learning_rate: falls in a line to 0. labels: train on the labels
    instead of what the teacher says."""

    steps: int = 300
    batch: int = 32
    learning_rate: float = 0.01
    labels: bool = False

    def __post_init__(self) -> None:
        if min(self.steps, self.batch) < 1 or self.learning_rate <= 0:
            raise ConfigError(
                f"steps={self.steps}, batch={self.batch}, learning_rate={self.learning_rate}: expected 1, 1, above 0"
            )


def fit(
    architecture: Architecture,
    lists: Lists,
    loss: ListLoss,
    training: Training,
    *,
    seed: int,
    start: Weights | None = None,
) -> Weights:
    """The weights after training, detached. start: weights to go on from; otherwise the seed's.

    The seed decides on first weights and on the order of the lists, and every loss sees the same of both. A list's
    labelled document stands first, where losses of one positive expect it; a ``Sum`` with ``labels`` is given them.
    """
    torch = need("torch>=2.4", extra="local")
    chance = torch.Generator().manual_seed(seed)
    lists = _positive_first(lists)
    begun = architecture.start(lists.queries.shape[-1], seed) if start is None else start
    weights = {name: value.detach().clone().requires_grad_() for name, value in begun.items()}
    adam = torch.optim.Adam(list(weights.values()), lr=training.learning_rate)
    falling = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.0, total_iters=training.steps)
    for _ in range(training.steps):
        some = lists[torch.randint(len(lists), (training.batch,), generator=chance)]
        scores = architecture.scores(weights, some.queries, some.documents)
        told = some.labels if training.labels else some.targets
        extra = {"labels": some.labels} if isinstance(loss, Sum) and loss.labels else {}
        value = loss(scores, told, None, **extra)
        adam.zero_grad()
        value.backward()
        adam.step()
        falling.step()
    return {name: value.detach() for name, value in weights.items()}


def _positive_first(lists: Lists) -> Lists:
    order = lists.labels.argsort(dim=1, descending=True, stable=True)
    rows = need("torch>=2.4", extra="local").arange(len(lists))[:, None]
    return Lists(
        lists.queries, *(part[rows, order] for part in (lists.documents, lists.targets, lists.labels, lists.grades))
    )
