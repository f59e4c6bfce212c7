"""A cross-encoder as a student: query and document read together, one logit from a classification head.

Source: Nogueira and Cho 2019, arXiv 1901.04085; with the forms of RankLLaMA (Ma et al. 2023, arXiv 2310.08319) it is
DeAR's first stage (arXiv 2508.16998).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from ...backends.transformers.local import Task
from ...backends.transformers.pair_texts import PairTexts
from ...core.errors import BackendError, ConfigError
from ...scorers.pairs import titled_text
from ..batches import Group
from ..objective import Given
from ._base import Student, laid_out, padded, slots

_RANKLLAMA = ("query: {text}", "document: {text}")
_BERT_LIKE = ("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert")


@dataclass(frozen=True)
class CrossEncoder(Student):
    """Any sequence-classification architecture; opened by ``cross-encoder`` (the BERT family) or
    ``sequence-classifier``.

    query, document, join, append_eos, query_tokens, document_tokens: as in ``SequenceClassifier``. titled: as in
    ``Pairs``. max_length: tokens of a pair; what is longer loses the end of its document in training (at inference it
    is split).
    """

    _: KW_ONLY
    query: str = "{text}"
    document: str = "{text}"
    join: Literal["pair", "text"] = "pair"
    append_eos: bool = False
    titled: Literal["plain", "tevatron"] = "plain"
    max_length: int = 256
    query_tokens: int | None = None
    document_tokens: int | None = None

    task: ClassVar[Task] = "classification"
    gives: ClassVar[frozenset[Given]] = frozenset({"scores"})

    def __post_init__(self) -> None:
        if self.titled == "tevatron" and (self.query, self.document) != _RANKLLAMA:
            raise ConfigError(f"titled='tevatron' goes with the forms {_RANKLLAMA}, as RankLLaMA has them")

    @property
    def labels(self) -> int:
        return 1

    @cached_property
    def pairs(self) -> PairTexts:
        """Pairs to tokens, as the runtime has them."""
        forms = (self.query, self.document, self.join)
        eos = self.loaded.tokenizer.eos_token_id if self.append_eos else None
        return PairTexts(self.texts, *forms, eos, self.window(self.max_length), *self._limits)

    def features(self, groups: Sequence[Group]) -> dict[str, Any]:
        torch = self.loaded.torch
        _, places = slots(groups)
        rows = [
            self.pairs.tokens(groups[i].query.text, titled_text(groups[i].candidates[d].document, self.titled))
            for i, d in places
        ]
        ids, mask = padded([row[0] for row in rows], self._padding([row[0] for row in rows]))
        types, _ = padded([row[1] for row in rows], 0)
        return {"ids": ids, "attention": mask, "types": types, "places": torch.tensor(places)}

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        places, config = features["places"], self.loaded.config
        feed = {"input_ids": features["ids"], "attention_mask": features["attention"]}
        if getattr(config, "type_vocab_size", 0) > 1:
            feed["token_type_ids"] = features["types"]
        if self._by_last_token:  # such a head reads at the last token that is not the padding one
            hidden = feed["attention_mask"] == 0
            config.pad_token_id = int(feed["input_ids"][hidden][0]) if bool(hidden.any()) else self._free(feed)
        logits = module.model(**feed).logits[:, 0].float()
        shape = (int(places[:, 0].max()) + 1, int(places[:, 1].max()) + 1)
        return {"scores": laid_out(logits, places, shape)}

    def opens_with(self, folder: str) -> dict[str, Any]:
        plain = (
            self.query == self.document == "{text}"
            and self._limits == (None, None)
            and self.join == "pair"
            and not self.append_eos
        )
        if plain and getattr(self.loaded.config, "model_type", "") in _BERT_LIKE and self.titled == "plain":
            return {"method": "cross-encoder", "model": folder, "max_length": self.window(self.max_length)}
        limits = dict(zip(("query_tokens", "document_tokens"), self._limits, strict=True))
        options = {"max_length": self.max_length, **limits}
        ends = {"join": self.join, "append_eos": self.append_eos, "options": options}
        if self.titled == "tevatron":
            return {"method": "rankllama", "model": folder, **ends}
        forms = {"query": self.query, "document": self.document}
        return {"method": "sequence-classifier", "model": folder, **forms, **ends}

    def _plain(self, model: Any) -> None:
        model.config.pad_token_id = self.pad()

    @property
    def _limits(self) -> tuple[int | None, int | None]:
        return self.query_tokens, self.document_tokens

    @property
    def _by_last_token(self) -> bool:
        return hasattr(self.loaded.model, "score")

    def _padding(self, rows: Sequence[Sequence[int]]) -> int:
        if not self._by_last_token:
            return self.pad()
        used = set().union(*rows)
        own = self.pad()
        return own if own not in used else self._first_free(used)

    def _free(self, feed: Mapping[str, Any]) -> int:
        return self._first_free(set(feed["input_ids"].unique().tolist()))

    def _first_free(self, used: set[int]) -> int:
        free = next((i for i in range(self.loaded.config.vocab_size) if i not in used), None)
        if free is None:
            raise BackendError("every token of the vocabulary occurs in one batch; use smaller batches")
        return free
