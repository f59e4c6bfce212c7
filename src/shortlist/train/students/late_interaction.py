"""Late interaction as a student: every query token finds its best document token (MaxSim), beside the cosine of the
means.

Sources: Khattab and Zaharia 2020, arXiv 2004.12832, equation 3; JaColBERTv2.5 (arXiv 2407.20750) trains it by min-max
KL. Not as in ColBERT: the mean over query tokens instead of the sum, no projection, no [MASK] tokens, and [CLS] and
[SEP] take part; all this is what the runtime computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal

from ...core.errors import ConfigError
from ...losses.normalise import MinMax
from ..gathered import everywhere
from ..objective import Given
from ._base import laid_out
from ._vectors import ReadApart, mean_pooled, query_and_document_states


@dataclass(frozen=True)
class LateInteraction(ReadApart):
    """Opened by ``late-interaction``, whose score is the ``sum`` here when its ``first_stage`` is 0.

    score: ``maxsim`` alone, or ``sum``: MaxSim and cosine of the means, each min-max scaled over the list, as at
    inference (it has no ``across``, since that scale has no meaning between lists). scale: factor on the scores.
    """

    _: KW_ONLY
    score: Literal["maxsim", "sum"] = "maxsim"
    scale: float = 1.0

    gives: ClassVar[frozenset[Given]] = frozenset({"scores", "across"})

    def __post_init__(self) -> None:
        if self.scale <= 0 or self.score not in ("maxsim", "sum"):
            raise ConfigError(f"scale={self.scale}, score={self.score!r}: expected above 0, maxsim or sum")

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        torch = self.loaded.torch
        queries, documents = query_and_document_states(module, features)
        query_mask, mask, places = features["query_mask"], features["attention"], features["places"]
        shape = (len(queries), int(places[:, 1].max()) + 1)
        asked = torch.nn.functional.normalize(queries, dim=-1) * query_mask[..., None]
        rows = torch.nn.functional.normalize(documents, dim=-1)
        counts = query_mask.sum(1, keepdim=True)
        given: dict[Given, Any] = {}
        if "across" in wanted:
            every = (rows, mask, places, shape)
            states, real, seats, size = _of_all(*every) if module.gather else every
            table = torch.einsum("qth,dsh->qdts", asked, states)
            table = table.masked_fill(real[None, :, None, :] == 0, -torch.inf)
            found = (table.amax(-1) * query_mask[:, None, :]).sum(-1) / counts
            laid = laid_out(found.T, seats, size)  # (lists, documents, queries)
            given["across"] = self.scale * laid.permute(2, 0, 1)
        if "scores" in wanted:
            own = asked[places[:, 0]]
            table = torch.einsum("dth,dsh->dts", own, rows).masked_fill(mask[:, None, :] == 0, -torch.inf)
            best = (table.amax(-1) * query_mask[places[:, 0]]).sum(-1) / counts[places[:, 0], 0]
            maxsim = laid_out(best, places, shape)
            given["scores"] = self.scale * maxsim
            if self.score == "sum":
                real = laid_out(torch.ones_like(best), places, shape) > 0
                cosine = torch.nn.functional.cosine_similarity(
                    mean_pooled(queries, query_mask)[places[:, 0]], mean_pooled(documents, mask), dim=-1
                )
                parts = MinMax(1e-12)(maxsim, real) + MinMax(1e-12)(laid_out(cosine, places, shape), real)
                given["scores"] = self.scale * parts
        return given

    def opens_with(self, folder: str) -> dict[str, Any]:
        return {"method": "late-interaction", "model": folder}


def _of_all(rows: Any, mask: Any, places: Any, shape: tuple[int, int]) -> tuple[Any, Any, Any, tuple[int, int]]:
    """The same four of the documents of all processes: states, token masks, (list, document), (lists, documents)."""
    laid, real = everywhere(laid_out(rows, places, shape)), everywhere(laid_out(mask, places, shape))
    there = real.any(-1)
    return laid[there], real[there], there.nonzero(), (int(there.shape[0]), int(there.shape[1]))
