"""One embedding model as retriever and listwise reranker: a prompt with query and documents becomes the query's vector.

Source: Liu et al. 2025, arXiv 2510.22733 (E2Rank): InfoNCE of the plain query against the batch's documents plus 2
times RankNet of 10 cos of the prompt's vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, ClassVar

from ...backends.transformers.local import Task
from ...backends.transformers.texts import Piece
from ...rerank.e2rank import END, TASK
from ..batches import Group
from ..gathered import everywhere
from ..objective import Given
from ._base import laid_out, padded, slots
from ._prompts import Prompted


@dataclass(frozen=True)
class E2Rank(Prompted):
    """scores: cosine of each document with the prompt's vector; across: of the plain query with every document of the
    batch. Opened by ``e2rank`` with the same prompt and task.

    shown: documents in the prompt. end: control text behind each text where the tokenizer puts none there. instruct:
    before a query, with its task. max_length: tokens of a query or document.
    """

    _: KW_ONLY
    prompt: str = "e2rank"
    shown: int = 20
    end: str = END
    instruct: str = f"Instruct: {TASK}\nQuery:"
    max_length: int = 1024

    task: ClassVar[Task] = "embedding"
    gives: ClassVar[frozenset[Given]] = frozenset({"scores", "across"})
    listwise: ClassVar[bool] = True

    def features(self, groups: Sequence[Group]) -> dict[str, Any]:
        _, places = slots(groups)
        documents = [self._row("", groups[i].candidates[d].document.full_text) for i, d in places]
        queries = [self._row(self.instruct, group.query.text) for group in groups]
        prompts = [self.ids(self.request(group.query, group.candidates[: self.shown])) for group in groups]
        features: dict[str, Any] = {"places": self.loaded.torch.tensor(places)}
        for name, rows in (("prompt", prompts), ("query", queries), ("document", documents)):
            features[f"{name}_ids"], features[f"{name}_mask"] = padded(rows, self.pad())
        return features

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        torch, places = self.loaded.torch, features["places"]
        lists = len(features["prompt_ids"])
        rows = self._vectors(module, features, "document")
        laid = laid_out(rows, places, (lists, int(places[:, 1].max()) + 1))
        given: dict[Given, Any] = {}
        if "scores" in wanted:
            given["scores"] = torch.einsum("qh,qdh->qd", self._vectors(module, features, "prompt"), laid)
        if "across" in wanted:
            every = everywhere(laid) if module.gather else laid
            given["across"] = torch.einsum("qh,ldh->qld", self._vectors(module, features, "query"), every)
        return given

    def opens_with(self, folder: str) -> dict[str, Any]:
        options: dict[str, Any] = {"end": self.end, "query_prefix": self.instruct}
        options |= {"template_options": dict(self.template_options)} if self.template_options else {}
        return {"method": "e2rank", "model": folder, "prompt": self.prompt, "shown": self.shown, "options": options}

    def _vectors(self, module: Any, features: Mapping[str, Any], name: str) -> Any:
        """Unit vectors of the last tokens."""
        torch = self.loaded.torch
        ids, mask = features[f"{name}_ids"], features[f"{name}_mask"]
        states = module.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        last = states[torch.arange(len(ids), device=ids.device), mask.sum(1) - 1].float()
        return torch.nn.functional.normalize(last, dim=-1)

    def _row(self, prefix: str, text: str) -> list[int]:
        before, _ = self.texts.around
        ids = [*before, *self.texts.encode([Piece(prefix), Piece(text, plain=True)])]
        return [*ids[: self.window(self.max_length) - len(self._last)], *self._last]

    @cached_property
    def _last(self) -> list[int]:
        return [*self.texts.encode([Piece(self.end)]), *self.texts.around[1]]
