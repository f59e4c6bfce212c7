"""An encoder-decoder as a listwise student by fusion-in-decoder: it reads every passage by itself and writes the order.

Sources: LiT5-Distill (Tamber et al. 2023, arXiv 2312.16098: best first, ``[2] > [1]``), ListT5 (Yoon et al. 2024, arXiv
2402.15838: five passages, worst first, ``1 2``). LiT5-Score is not trained here: it reads the attention of a model that
was trained to answer questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ...backends.transformers.local import Task
from ...backends.transformers.texts import Piece
from ...core.errors import ConfigError
from ...core.protocols import Readout
from ...prompts import Template
from ..batches import Group
from ..objective import Given
from ._answers import known, parts_of, written
from ._base import Student, padded, slots
from ._prompts import end_token
from ._segments import segment, side_by_side


@dataclass(frozen=True)
class FiD(Student):
    """A T5 that gives ``text``: the mean cross-entropy of the tokens of the target order and the end token.

    method, params: the registry name that runs it (``lit5-distill``, ``listt5``) and its parameters; prompt, form of
    the answer and its order are the method's. prompt: used instead of the method's. text_tokens: of each text, which is
    cut at its end, as at inference.
    """

    _: KW_ONLY
    method: str = "lit5-distill"
    params: dict[str, Any] = field(default_factory=dict)
    prompt: str | Path = ""
    text_tokens: int = 150

    task: ClassVar[Task] = "seq2seq"
    gives: ClassVar[frozenset[Given]] = frozenset({"text"})
    listwise: ClassVar[bool] = True

    @cached_property
    def _parts(self) -> tuple[Template, Readout]:
        template, readout = parts_of(self.method, self._params)
        if template.layout != "segments":
            raise ConfigError(f"{self.method} does not read passages one by one; train SFT for it")
        return template, readout

    @property
    def _params(self) -> dict[str, Any]:
        return {**self.params, **({"prompt": str(self.prompt)} if self.prompt else {})}

    def features(self, groups: Sequence[Group]) -> dict[str, Any]:
        template, _ = self._parts
        _, places = slots(groups)
        texts = [text for g in groups for text in template.render(g.query, g.candidates, labels=()).texts]
        ids, mask = padded([segment(self.texts, text, self.text_tokens) for text in texts], self.pad())
        answers = [self.answer(group) for group in groups]
        target, real = padded(answers, -100)
        started, _ = padded([[self.start, *answer[:-1]] for answer in answers], self.pad())
        places = self.loaded.torch.tensor(places)
        return {"target": target, "started": started, "real": real, "ids": ids, "attention": mask, "places": places}

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        torch = self.loaded.torch
        found = module.model.get_encoder()(input_ids=features["ids"], attention_mask=features["attention"])
        states, mask = side_by_side(found.last_hidden_state, features["attention"], features["places"])
        out = module.model(
            encoder_outputs=(states,), attention_mask=mask, decoder_input_ids=features["started"], use_cache=False
        )
        logits = out.logits.float().flatten(0, 1)
        return {"text": torch.nn.functional.cross_entropy(logits, features["target"].flatten(), ignore_index=-100)}

    def answer(self, group: Group) -> list[int]:
        """The tokens in which the target order is written, and the end token."""
        text = written(*self._parts, known(group.targets))
        return [*self.texts.encode([Piece(text, plain=True)]), end_token(self.loaded)]

    @property
    def start(self) -> int:
        """The decoder's first token. Raises ConfigError for a model that names none."""
        found = self.loaded.model.config.decoder_start_token_id
        if found is None:
            raise ConfigError(f"{self.base}: config.json names no decoder_start_token_id")
        return int(found)

    def opens_with(self, folder: str) -> dict[str, Any]:
        given = {"text_tokens": self.text_tokens, "options": {}}
        return {"method": self.method, "model": folder, **self._params, **given}
