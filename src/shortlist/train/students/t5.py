"""Encoder-decoders as pointwise students: a document is scored by what the decoder would say first.

Sources: monoT5 (Nogueira et al. 2020, arXiv 2003.06713: ``true`` against ``false``), RankT5 (Zhuang et al. 2022, arXiv
2210.10634, encoder-decoder form: the logit of one extra token, trained with ranking losses).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from ...backends.transformers.local import Task
from ...backends.transformers.texts import Piece
from ...core.errors import ConfigError
from ...core.exchange import Request
from ..batches import Group
from ..objective import Given
from ._base import laid_out, padded, slots
from ._prompts import Prompted


@dataclass(frozen=True)
class _FirstStep(Prompted):
    """What both share: prompts for the encoder, and logits of some tokens at the decoder's first step."""

    task: ClassVar[Task] = "seq2seq"

    def words(self) -> tuple[str, ...]:
        """What could be said; the logits come in this order."""
        raise NotImplementedError

    def ids(self, request: Request, continued: str = "") -> list[int]:
        """The tokens that the encoder is given, its end token included; a prefill is the decoder's."""
        before, after = self.texts.around
        return [*before, *self.texts.encode(self.chat.pieces(request)[:-1]), *after]

    def features(self, groups: Sequence[Group]) -> dict[str, Any]:
        torch = self.loaded.torch
        _, places = slots(groups)
        asked = [self.request(groups[i].query, [groups[i].candidates[d]]) for i, d in places]
        ids, mask = padded([self.ids(request) for request in asked], self.pad())
        prefill = self.template.prefill
        begun = [self._start, *self.texts.encode([Piece(prefill)])]
        words = torch.tensor([self.known_labels.ids([Piece(prefill)], self.words()).ids] * len(asked))
        good = torch.tensor([int(groups[i].grades[d] > 0) for i, d in places])
        started = torch.tensor([begun] * len(asked))
        beside = {"started": started, "words": words, "good": good, "places": torch.tensor(places)}
        return {"ids": ids, "attention": mask, **beside}

    def _first(self, module: Any, features: Mapping[str, Any]) -> Any:
        """Logits of the first step (documents, vocabulary), float32."""
        out = module.model(
            input_ids=features["ids"], attention_mask=features["attention"], decoder_input_ids=features["started"],
            use_cache=False,
        )  # fmt: skip
        return out.logits[:, -1].float()

    def _opened(self, method: str, folder: str) -> dict[str, Any]:
        options = {} if self.context is None else {"context": self.context}
        return {"method": method, "model": folder, "prompt": str(self.prompt), "options": options}

    @property
    def _start(self) -> int:
        found = self.loaded.model.config.decoder_start_token_id
        if found is None:
            raise ConfigError(f"{self.base}: config.json names no decoder_start_token_id")
        return int(found)


@dataclass(frozen=True)
class MonoT5(_FirstStep):
    """scores: the logit of ``yes`` minus that of ``no``; ``logits`` are no and yes, in this order. ``monot5`` opens it.

    ``text`` is the published loss, the cross-entropy over the whole vocabulary of the right word (``yes`` for grades
    above 0), as a language model is trained; the authors add the end token behind it.
    """

    _: KW_ONLY
    prompt: str = "monot5"
    yes: str = "true"
    no: str = "false"

    gives: ClassVar[frozenset[Given]] = frozenset({"scores", "logits", "text"})

    def words(self) -> tuple[str, ...]:
        return self.no, self.yes

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        places, words = features["places"], features["words"]
        first = self._first(module, features)
        shape = (int(places[:, 0].max()) + 1, int(places[:, 1].max()) + 1)
        pairs = laid_out(first.gather(1, words), places, shape)
        given: dict[Given, Any] = {"scores": pairs[..., 1] - pairs[..., 0], "logits": pairs}
        if "text" in wanted:
            right = words.gather(1, features["good"][:, None])[:, 0]
            given["text"] = self.loaded.torch.nn.functional.cross_entropy(first, right)
        return given

    def opens_with(self, folder: str) -> dict[str, Any]:
        return {**self._opened("monot5", folder), "yes": self.yes, "no": self.no}


@dataclass(frozen=True)
class RankT5(_FirstStep):
    """scores: the logit of ``label`` as it is, not normalised over the vocabulary. Opened by ``rankt5``."""

    _: KW_ONLY
    prompt: str = "rankt5"
    label: str = "<extra_id_10>"

    gives: ClassVar[frozenset[Given]] = frozenset({"scores"})

    def words(self) -> tuple[str, ...]:
        return (self.label,)

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        places = features["places"]
        found = self._first(module, features).gather(1, features["words"])[:, 0]
        shape = (int(places[:, 0].max()) + 1, int(places[:, 1].max()) + 1)
        return {"scores": laid_out(found, places, shape)}

    def opens_with(self, folder: str) -> dict[str, Any]:
        return {**self._opened("rankt5", folder), "label": self.label}
