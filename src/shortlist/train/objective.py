"""What is minimised: a weighted sum of losses, each on what the student gives for it.

Sources of the combinations: FIRST (arXiv 2406.15657: language-model loss plus 10 times rank-weighted RankNet), E2Rank
(arXiv 2510.22733: InfoNCE of the plain query plus 2 times RankNet of the listwise prompt), GMR (arXiv 2510.14824:
weight and direction on two logits). The losses themselves are in ``shortlist.losses``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import ConfigError
from ..core.extras import need
from ..losses import InfoNCE, ListLoss, Orthogonality, Sum, WeightedDirection
from .gathered import shared_beside

Given = Literal["scores", "across", "logits", "text", "states", "hidden", "relations", "vectors"]
"""What a student can give: scores (lists, documents); scores of every query with every document ``across`` the batch
(lists, lists, documents); two logits per document (lists, documents, 2); vectors per list (lists, views, dim) that
should differ; and losses that are numbers already: of a target text, and of token states, states of chosen layers and
attention relations against a teacher's."""


@dataclass(frozen=True)
class Objective:
    """ranking_weight * ranking(scores, targets) + contrast_weight * contrast(across) + direction_weight *
    direction(logits, labels) + text_weight * text + states_weight * states + hidden_weight * hidden +
    relations_weight * relations + apart_weight * Orthogonality(vectors); what is None or has the weight 0 is left out.

    A ``Sum`` with ``labels`` is given the grades for these. gather: contrast's negatives are the documents of all
    processes (torchrun), so that W processes with a batch of B train as one with a batch of W times B would.
    """

    ranking: ListLoss | None = None
    contrast: InfoNCE | None = None
    direction: WeightedDirection | None = None
    ranking_weight: float = 1.0
    contrast_weight: float = 1.0
    direction_weight: float = 1.0
    text_weight: float = 0.0
    states_weight: float = 0.0
    hidden_weight: float = 0.0
    relations_weight: float = 0.0
    apart_weight: float = 0.0
    gather: bool = False

    def __post_init__(self) -> None:
        if self.gather and self.contrast is None:
            raise ConfigError("gather=true shares the documents of contrast, and there is no contrast")
        if not self.wanted:
            raise ConfigError(
                "an objective of no losses; give ranking, contrast, direction, or a weight for text or states"
            )

    @property
    def wanted(self) -> frozenset[Given]:
        """What the student must give."""
        named: dict[Given, object] = {
            "scores": self.ranking,
            "across": self.contrast,
            "logits": self.direction,
            "text": self.text_weight or None,
            "states": self.states_weight or None,
            "hidden": self.hidden_weight or None,
            "relations": self.relations_weight or None,
            "vectors": self.apart_weight or None,
        }
        return frozenset(name for name, loss in named.items() if loss is not None)

    @property
    def labelled(self) -> bool:
        """A part of it is given the grades, whatever the targets are, and learns nothing where none is above 0."""
        return self.direction is not None or (isinstance(self.ranking, Sum) and bool(self.ranking.labels))

    def terms(self, given: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Any]:
        """Each term by name, weighted: scalars whose sum is the loss. batch: what ``Collate`` gives beside features.

        Losses that know a positive expect it first, so it is put there, wherever the student saw it.
        """
        best = batch["best"]
        beside = {name: _best_first(batch[name], best) for name in ("targets", "grades", "mask")}
        found: dict[str, Any] = {}
        if self.ranking is not None:
            extra = {"labels": beside["grades"]} if isinstance(self.ranking, Sum) and self.ranking.labels else {}
            scores = _best_first(given["scores"], best)
            found["ranking"] = self.ranking_weight * self.ranking(scores, beside["targets"], beside["mask"], **extra)
        if self.contrast is not None:
            found["contrast"] = self.contrast_weight * self._contrast(given["across"], batch)
        if self.direction is not None:
            logits = _best_first(given["logits"], best)
            found["direction"] = self.direction_weight * self.direction(logits, beside["grades"], beside["mask"])
        if self.text_weight:
            found["text"] = self.text_weight * given["text"]
        if self.states_weight:
            found["states"] = self.states_weight * given["states"]
        if self.hidden_weight:
            found["hidden"] = self.hidden_weight * given["hidden"]
        if self.relations_weight:
            found["relations"] = self.relations_weight * given["relations"]
        if self.apart_weight:
            found["apart"] = self.apart_weight * Orthogonality()(given["vectors"])
        return found

    def _contrast(self, across: Any, batch: Mapping[str, Any]) -> Any:
        assert self.contrast is not None
        lists = shared_beside(batch) if self.gather else batch
        best, mask = lists["best"], _best_first(lists["mask"], lists["best"])
        ordered, same = _best_first(across, best, 2), _best_first(lists["same"], best, 2)
        return self.contrast(ordered, mask, same, lists.get("first"))


def _best_first(values: Any, best: Any, axis: int = 1) -> Any:
    """``values`` with each list's best document and its first one exchanged.

    values: (lists, documents) or (lists, documents, 2); with axis 2 (lists, lists, documents), whose second axis is the
    list that a document is of. best: (lists,).
    """
    torch = need("torch>=2.4", extra="train")
    places = torch.arange(values.shape[axis], device=values.device).repeat(len(best), 1)
    places[:, 0] = best
    places[torch.arange(len(best), device=values.device), best] = 0
    if axis == 2:
        return values.gather(2, places[None].expand_as(values))
    return values.gather(1, places if values.dim() == 2 else places[..., None].expand_as(values))
