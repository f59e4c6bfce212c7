"""An encoder that learns what happens inside another one, text by text, beside any ranking loss.

Sources: hidden-state distillation of DistilBERT (Sanh et al. 2019, arXiv 1910.01108: cosine), TinyBERT (Jiao et al.
2020, arXiv 1909.10351: squared error, layer by layer), MiniLM (Wang et al. 2020, arXiv 2002.10957: attention and value
relations of the last layer). Both must read the same tokens: a student cut from its teacher by ``surgery.keep_layers``
does. Logits are distilled beside it, by a ranking loss on the teacher's scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from ...backends.transformers.local import Loaded, Task
from ...core.errors import ConfigError
from ..objective import Given
from ._base import Student
from ._inside import Pair, Relation, distances, projections, relations, uniform
from ._open import open_base
from .cross_encoder import CrossEncoder
from .late_interaction import LateInteraction

_INSIDE: frozenset[Given] = frozenset({"states", "hidden", "relations"})


@dataclass(frozen=True)
class _Imitating(Student):
    """Gives ``states``: the mean distance of the last token states from the teacher's, over all tokens read;
    ``hidden``: the same of pairs of layers, mean over pairs; ``relations``: KL(teacher || student) of relations, summed
    over kinds.

    teacher: a folder, hub name or the shipped model; frozen, and no part of what is saved. distance: ``cosine`` is 1
    minus the cosine; ``squared`` the squared error, mean over dimensions. layers: pairs (student's, teacher's) for
    ``hidden``, 0 being the embeddings; empty: uniform, embeddings included. project: learned linear maps of the
    student's states to the teacher's size, one per pair; needed when the sizes differ, no part of what is saved.
    relation_kinds, relation_heads, relation_layers: for ``relations``; the layers (student's, teacher's) count from 1,
    None are the last ones and the teacher's attention heads.
    """

    _: KW_ONLY
    teacher: str | Path = "all-MiniLM-L6-v2"
    distance: Literal["cosine", "squared"] = "squared"
    layers: tuple[Pair, ...] = ()
    project: bool = False
    relation_kinds: tuple[Relation, ...] = ("qk", "vv")
    relation_heads: int | None = None
    relation_layers: Pair | None = None

    def __post_init__(self) -> None:
        super_post_init = getattr(super(), "__post_init__", None)
        if super_post_init is not None:
            super_post_init()
        if self.distance not in ("cosine", "squared"):
            raise ConfigError(f"distance={self.distance!r}: expected 'cosine' or 'squared'")
        if not self.relation_kinds or set(self.relation_kinds) - {"qk", "qq", "kk", "vv"}:
            raise ConfigError(f"relation_kinds={self.relation_kinds}: expected some of qk, qq, kk, vv")

    @cached_property
    def master(self) -> Loaded:
        """The teacher. Raises ConfigError when it reads other tokens or has states of another size."""
        found = open_base(self.teacher, "embedding", dtype=self.dtype)
        sizes = [int(one.config.hidden_size) for one in (self.loaded, found)]
        if sizes[0] != sizes[1] and not self.project:
            raise ConfigError(
                f"token states of {self.base} and {self.teacher} have {sizes[0]} and {sizes[1]} numbers; with "
                "project=true a linear map between them is learned"
            )
        if self.loaded.tokenizer.get_vocab() != found.tokenizer.get_vocab():
            raise ConfigError(f"{self.base} and {self.teacher} have different vocabularies; their tokens do not match")
        found.model.requires_grad_(False).eval()  # a model made from int8 rows is in training mode, with dropout
        return found

    @cached_property
    def layer_pairs(self) -> tuple[Pair, ...]:
        """Layers that are compared. Raises ConfigError for layers that one of the two does not have."""
        depths = [int(one.config.num_hidden_layers) for one in (self.loaded, self.master)]
        pairs = tuple((int(a), int(b)) for a, b in self.layers) or uniform(*depths)
        if any(not 0 <= a <= depths[0] or not 0 <= b <= depths[1] for a, b in pairs):
            raise ConfigError(f"layers={pairs}: the student has 0 to {depths[0]}, the teacher 0 to {depths[1]}")
        return pairs

    @cached_property
    def related(self) -> tuple[Pair, int]:
        """The layers whose relations are compared, and in how many heads."""
        layers = self.relation_layers or (
            int(self.loaded.config.num_hidden_layers), int(self.master.config.num_hidden_layers),
        )  # fmt: skip
        heads = self.relation_heads or int(self.master.config.num_attention_heads)
        sizes = [int(one.config.hidden_size) for one in (self.loaded, self.master)]
        if heads < 1 or any(size % heads for size in sizes):
            raise ConfigError(f"relation_heads={heads}: expected a divisor of {sizes[0]} and of {sizes[1]}")
        return layers, heads

    def module(self) -> Any:
        assert self.master.model is not None  # opened, and so checked, before the first update
        made = super().module()
        if self.project:
            sizes = [int(one.config.hidden_size) for one in (self.loaded, self.master)]
            nn, count = self.loaded.torch.nn, len(self.layer_pairs) + 1
            made.maps = nn.ModuleList(nn.Linear(*sizes, bias=False) for _ in range(count))
        return made

    def passes(self, features: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What student and teacher read: keyword arguments of an encoder, the mask among them."""
        raise NotImplementedError

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        given = super().forward(module, features, wanted - _INSIDE) if wanted - _INSIDE else {}
        if wanted & _INSIDE:
            given |= self._inside(module, features, wanted & _INSIDE)
        return given

    def _inside(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        torch, device = self.loaded.torch, features["ids"].device
        master, weights = self.master.model.to(device), 0.0
        totals: dict[Given, Any] = {}
        for feed in self.passes(features):
            mask = feed["attention_mask"]
            own, own_parts = self._read(module.model, feed, 0, wanted)
            with torch.no_grad():
                aim, aim_parts = self._read(master, feed, 1, wanted)
            found = dict(self._compared(module, own, aim, mask, wanted))
            if "relations" in wanted:
                kinds, heads = self.relation_kinds, self.related[1]
                found["relations"] = relations(torch, own_parts, aim_parts, mask, kinds, heads)
            count = mask.sum()
            for name, value in found.items():
                totals[name] = totals.get(name, 0.0) + value * count
            weights = weights + count
        return {name: value / weights for name, value in totals.items()}

    def _read(
        self, model: Any, feed: Mapping[str, Any], side: int, wanted: frozenset[Given]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """States of all layers, embeddings first, and the projections of the layer whose relations are wanted."""
        parts: dict[str, Any] = {}
        with ExitStack() as held:
            if "relations" in wanted:
                names = "".join(sorted(set("".join(self.relation_kinds))))
                parts = held.enter_context(projections(model, self.related[0][side], names))
            out = model(**feed, output_hidden_states=True)
        return out.hidden_states, parts

    def _compared(
        self, module: Any, own: tuple[Any, ...], aim: tuple[Any, ...], mask: Any, wanted: frozenset[Given]
    ) -> Iterator[tuple[Given, Any]]:
        """Mean distances over the real tokens."""
        torch = self.loaded.torch

        def far(number: int, mine: Any, its: Any) -> Any:
            mapped = module.maps[number](mine) if self.project else mine
            return (distances(torch, mapped.float(), its.float(), self.distance) * mask).sum() / mask.sum()

        if "states" in wanted:
            yield "states", far(len(self.layer_pairs) if self.project else 0, own[-1], aim[-1])
        if "hidden" in wanted:
            found = [far(i, own[a], aim[b]) for i, (a, b) in enumerate(self.layer_pairs)]
            yield "hidden", sum(found) / len(found)

    def smoke_changes(self, folder: Path) -> dict[str, Any]:
        return {"teacher": str(folder), "layers": (), "relation_heads": None, "relation_layers": None}


@dataclass(frozen=True)
class Imitation(_Imitating, LateInteraction):
    """A late-interaction student (a bi-encoder when opened as one) that imitates an encoder on queries and documents,
    each by itself."""

    _: KW_ONLY

    gives: ClassVar[frozenset[Given]] = frozenset({"scores", "across", *_INSIDE})

    def passes(self, features: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [
            {"input_ids": features["query_ids"], "attention_mask": features["query_mask"]},
            {"input_ids": features["ids"], "attention_mask": features["attention"]},
        ]


@dataclass(frozen=True)
class PairImitation(_Imitating, CrossEncoder):
    """A cross-encoder that imitates an encoder, as a rule a larger cross-encoder, on pairs of query and document.

    teacher: its head is not read; give its scores as targets of a ranking loss.
    """

    _: KW_ONLY
    teacher: str | Path = ""

    task: ClassVar[Task] = "classification"
    gives: ClassVar[frozenset[Given]] = frozenset({"scores", *_INSIDE})

    def passes(self, features: Mapping[str, Any]) -> list[dict[str, Any]]:
        feed = {"input_ids": features["ids"], "attention_mask": features["attention"]}
        if getattr(self.loaded.config, "type_vocab_size", 0) > 1:
            feed["token_type_ids"] = features["types"]
        return [feed]
