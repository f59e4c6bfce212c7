"""A bi-encoder as a student: mean-pooled vectors of query and document, read apart, and their cosine.

Sources: Reimers and Gurevych 2019, arXiv 1908.10084; BERT_DOT of Hofstätter et al. 2020, arXiv 2010.02666, with the
cosine instead of the dot product, since that is what the runtime computes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from ...core.errors import ConfigError
from ..gathered import everywhere
from ..objective import Given
from ._base import laid_out
from ._vectors import ReadApart, mean_pooled, query_and_document_states


@dataclass(frozen=True)
class BiEncoder(ReadApart):
    """scores are ``scale`` times the cosine; opened by ``bi-encoder``, which returns the cosine itself.

    learn_scale: the scale is a parameter like others (its logarithm is), as a teacher with a wide range of scores
    needs. max_length: tokens of one text.
    """

    _: KW_ONLY
    scale: float = 1.0
    learn_scale: bool = False

    gives: ClassVar[frozenset[Given]] = frozenset({"scores", "across"})

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise ConfigError(f"scale={self.scale}: expected above 0")

    def extra(self) -> dict[str, float]:
        return {"log_scale": math.log(self.scale)} if self.learn_scale else {}

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        torch = self.loaded.torch
        queries, documents = query_and_document_states(module, features)
        asked = torch.nn.functional.normalize(mean_pooled(queries, features["query_mask"]), dim=-1)
        rows = torch.nn.functional.normalize(mean_pooled(documents, features["attention"]), dim=-1)
        places = features["places"]
        laid = laid_out(rows, places, (len(asked), int(places[:, 1].max()) + 1))
        scale = module.log_scale.exp() if self.learn_scale else self.scale
        given: dict[Given, Any] = {}
        if "scores" in wanted:
            given["scores"] = scale * torch.einsum("qh,qdh->qd", asked, laid)
        if "across" in wanted:
            given["across"] = scale * torch.einsum("qh,ldh->qld", asked, everywhere(laid) if module.gather else laid)
        return given

    def opens_with(self, folder: str) -> dict[str, Any]:
        return {"method": "bi-encoder", "model": folder}
