"""The positive against negatives, with explicit rules for what counts as a negative inside a batch.

Sources: van den Oord et al. 2018, arXiv 1807.03748; ColBERTv1.5's in-batch rule, used by ColBERT-XM (arXiv
2402.15059), leaves a query's own negatives out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..core.errors import ConfigError, ScoreError
from ._lists import FAR, torch


@dataclass(frozen=True)
class InfoNCE:
    """-log softmax of the positive among the chosen documents, mean over queries.

    Called with scores (queries, queries, documents): ``scores[i, j, d]`` is query i against document d of query j, of
    which document 0 is query j's positive. own: whether a query's own negatives (d > 0) count. others: which documents
    of the other queries count as negatives: ``all``, ``positives`` or ``none``. mask (queries, documents): True where
    query j has a document d. same (queries, queries, documents): True where a document of another query is relevant
    here too, or is the same text; it is left out.

    Several processes: scores (queries, lists, documents) of this one's queries against the documents of all lists, of
    which number ``first`` is query 0's own.
    """

    temperature: float = 1.0
    own: bool = True
    others: Literal["all", "positives", "none"] = "all"

    def __post_init__(self) -> None:
        if self.temperature <= 0 or self.others not in ("all", "positives", "none"):
            raise ConfigError(
                f"temperature={self.temperature}, others={self.others!r}: expected above 0, all, positives or none"
            )
        if not self.own and self.others == "none":
            raise ConfigError("own=False and others='none' leave no negatives")

    def __call__(self, scores: Any, mask: Any = None, same: Any = None, first: int | None = None) -> Any:
        t = torch()
        whole = scores.dim() == 3 and scores.shape[0] == scores.shape[1]
        part = scores.dim() == 3 and first is not None and 0 <= first <= scores.shape[1] - scores.shape[0]
        if not (whole if first is None else part):
            raise ScoreError(f"expected scores of shape (queries, queries, documents), got {tuple(scores.shape)}"
                             + ("" if first is None else f", first={first}"))  # fmt: skip
        queries, lists, documents = scores.shape
        own = (first or 0) + t.arange(queries, device=scores.device)
        counts = t.ones_like(scores, dtype=t.bool) if mask is None else mask.bool()[None].expand_as(scores).clone()
        if same is not None:
            counts = counts & ~same.bool()
        mine = (t.arange(lists, device=scores.device)[None] == own[:, None])[:, :, None].expand_as(scores)
        best = (t.arange(documents, device=scores.device) == 0).expand_as(scores)
        wanted = (mine & (best | self.own)) | (~mine & (best if self.others == "positives" else self.others == "all"))
        chosen = (counts & wanted) | (mine & best)
        logits = (scores.float() / self.temperature).masked_fill(~chosen, FAR).reshape(queries, -1)
        return t.nn.functional.cross_entropy(logits, own * documents)
