"""An encoder that learns another encoder's token states, text by text, beside any ranking loss.

Sources: hidden-state distillation of DistilBERT (Sanh et al. 2019, arXiv 1910.01108: cosine) and TinyBERT (Jiao et al.
2020, arXiv 1909.10351: squared error); here between the last layers only. Both must read the same tokens: a student
cut from its teacher by ``surgery.keep_layers`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from ...backends.transformers.local import Loaded
from ...core.errors import ConfigError
from ..objective import Given
from ._open import open_base
from ._vectors import query_and_document_states
from .late_interaction import LateInteraction


@dataclass(frozen=True)
class Imitation(LateInteraction):
    """A late-interaction student (a bi-encoder when opened as one) that also gives ``states``: the mean distance of
    its token states from the teacher's, over all tokens of queries and documents.

    teacher: a folder, hub name or the shipped model; frozen, and no part of what is saved. distance: ``cosine`` is 1
    minus the cosine; ``squared`` the squared error, mean over dimensions.
    """

    _: KW_ONLY
    teacher: str | Path = "all-MiniLM-L6-v2"
    distance: Literal["cosine", "squared"] = "squared"

    gives: ClassVar[frozenset[Given]] = frozenset({"scores", "across", "states"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.distance not in ("cosine", "squared"):
            raise ConfigError(f"distance={self.distance!r}: expected 'cosine' or 'squared'")

    @cached_property
    def master(self) -> Loaded:
        """The teacher. Raises ConfigError when it reads other tokens or has states of another size."""
        found = open_base(self.teacher, "embedding", dtype=self.dtype)
        sizes = [int(one.config.hidden_size) for one in (self.loaded, found)]
        if sizes[0] != sizes[1]:
            raise ConfigError(f"token states of {self.base} and {self.teacher} have {sizes[0]} and {sizes[1]} numbers")
        if self.loaded.tokenizer.get_vocab() != found.tokenizer.get_vocab():
            raise ConfigError(f"{self.base} and {self.teacher} have different vocabularies; their tokens do not match")
        found.model.requires_grad_(False)
        return found

    def module(self) -> Any:
        assert self.master.model is not None  # opened, and so checked, before the first update
        return super().module()

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        torch = self.loaded.torch
        given = super().forward(module, features, wanted - {"states"}) if wanted - {"states"} else {}
        if "states" in wanted:
            teacher = _Frozen(self.master.model.to(features["ids"].device))
            with torch.no_grad():
                aims = query_and_document_states(teacher, features)
            total, count = 0.0, 0.0
            masks = (features["query_mask"], features["attention"])
            for own, aim, mask in zip(query_and_document_states(module, features), aims, masks, strict=True):
                if self.distance == "cosine":
                    far = 1 - torch.nn.functional.cosine_similarity(own, aim, dim=-1)
                else:
                    far = ((own - aim) ** 2).mean(-1)
                total, count = total + (far * mask).sum(), count + mask.sum()
            given["states"] = total / count
        return given


class _Frozen:
    """The teacher where a student's module is expected."""

    def __init__(self, model: Any) -> None:
        self.model = model
