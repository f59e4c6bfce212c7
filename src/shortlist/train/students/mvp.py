"""An encoder-decoder as a listwise student by views: several vectors per passage, and an anchor of the list for each.

Source: MVP, arXiv 2509.07485: cross-entropy against a softmax of 1/rank over a temperature of .8, plus the anchors'
``Orthogonality``. The authors take the softmax of the scores twice; here once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ...backends.transformers.local import Task
from ...core.errors import ConfigError
from ...prompts import Template, load_prompt
from ..batches import Group
from ..objective import Given
from ._base import Student, laid_out, padded, slots
from ._segments import segment


@dataclass(frozen=True)
class MVP(Student):
    """A T5; opened by ``mvp`` with the same prompt and number of views. ``vectors`` are the anchors.

    text_tokens: of each text, which is cut at its end, as at inference.
    """

    _: KW_ONLY
    prompt: str | Path = "mvp"
    views: int = 4
    text_tokens: int = 256

    task: ClassVar[Task] = "seq2seq"
    gives: ClassVar[frozenset[Given]] = frozenset({"scores", "vectors"})

    def features(self, groups: Sequence[Group]) -> dict[str, Any]:
        _, places = slots(groups)
        texts = [text for g in groups for text in self._template.render(g.query, g.candidates, labels=()).texts]
        ids, mask = padded([self._row(text) for text in texts], self.pad())
        return {"ids": ids, "attention": mask, "places": self.loaded.torch.tensor(places)}

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        torch, places, views = self.loaded.torch, features["places"], self.views
        found = module.model.get_encoder()(input_ids=features["ids"], attention_mask=features["attention"])
        shape = (int(places[:, 0].max()) + 1, int(places[:, 1].max()) + 1)
        laid = laid_out(found.last_hidden_state[:, :views], places, shape)  # (lists, documents, views, dim)
        real = laid_out(torch.ones(len(places), device=places.device), places, shape)
        by_view = laid.transpose(1, 2).flatten(0, 1)
        pad = torch.full((len(by_view), 1), self.pad(), device=places.device)
        out = module.model.get_decoder()(
            inputs_embeds=module.get_input_embeddings()(pad), encoder_hidden_states=by_view,
            encoder_attention_mask=real.repeat_interleave(views, 0).long(), use_cache=False,
        )  # fmt: skip
        anchors = out.last_hidden_state[:, 0].unflatten(0, (-1, views)).float()
        scores = torch.einsum("ldvh,lvh->ldv", laid.float(), anchors).mean(-1)
        return {"scores": scores, "vectors": anchors}

    def opens_with(self, folder: str) -> dict[str, Any]:
        given = {"prompt": self.prompt, "views": self.views, "text_tokens": self.text_tokens}
        return {"method": "mvp", "model": folder, **given}

    def _row(self, text: str) -> list[int]:
        return segment(self.texts, text, self.text_tokens, self._marks)

    @cached_property
    def _template(self) -> Template:
        return load_prompt(self.prompt)

    @cached_property
    def _marks(self) -> str:
        marks = [f"<extra_id_{i}>" for i in range(self.views)]
        lacking = [mark for mark in marks if self.texts.control_id(mark) is None]
        if lacking or not marks:
            raise ConfigError(f"views={self.views}: the vocabulary of {self.base} has no control tokens {lacking[:3]}")
        return "".join(marks)
