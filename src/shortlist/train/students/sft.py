"""A chat model that learns to answer as a teacher did: its thought and its answer, token by token.

Sources: supervised fine-tuning before reinforcement, or instead of it, in ReasonRank (arXiv 2508.07050), GroupRank
(arXiv 2511.11653), ERank (arXiv 2509.00520), DeAR's second stage (arXiv 2508.16998), Rank1 (arXiv 2502.18418) and the
baseline of Rank-R1 (arXiv 2503.06034). The prompt, the form of the answer and how it is read are the method's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ...backends.transformers.texts import Piece
from ...core.errors import ConfigError, InputError
from ...core.protocols import Readout
from ...core.types import Call, Candidate
from ...prompts import Template
from ...prompts.read import prompt_text
from ...readouts import YesNo
from ..batches import Group
from ..objective import Given
from ._answers import graded, known, parts_of, written
from ._base import padded
from ._prompts import Prompted, answer_loss, last_logits

_LENGTH = re.compile(r"^max_tokens = \d+$", re.MULTILINE)
_THINKING = re.compile(r"(</?think(?:ing)?>)")


@dataclass(frozen=True)
class SFT(Prompted):
    """Gives ``text``: the mean cross-entropy of the answers' tokens and the end token, over all answers; the prompt is
    no part of it.

    An answer is the one that a teacher gave about exactly these documents in this order, when the sample holds it
    (``Grouping(answered=True)`` takes no others); otherwise it is written from the targets, without a thought.

    method, params: the registry name that runs the result, and its parameters; its prompt and its readout decide what
    is asked and written. prompt: used instead of the method's. form: what stands around a written answer, with
    ``{answer}`` in it. spread: for written grades, the group's targets are stretched over the scale; otherwise they
    must be such grades. answer_tokens: longer answers lose their end and the end token; None is what the context
    leaves.

    Of what is answered only ``<think>`` and ``</think>`` are control tokens, where the vocabulary has them as such.
    """

    _: KW_ONLY
    method: str = "rankgpt"
    params: dict[str, Any] = field(default_factory=dict)
    form: str = "{answer}"
    spread: bool = False
    answer_tokens: int | None = None

    gives: ClassVar[frozenset[Given]] = frozenset({"text"})

    def __post_init__(self) -> None:
        if "{answer}" not in self.form:
            raise ConfigError(f"form={self.form!r}: expected a text with {{answer}} in it")
        if self.answer_tokens is not None and self.answer_tokens < 1:
            raise ConfigError(f"answer_tokens={self.answer_tokens}: expected 1 or more, or None")

    @property
    def listwise(self) -> bool:  # type: ignore[override]
        """As the method is."""
        return self.readout.max_group != 1

    @cached_property
    def _parts(self) -> tuple[Template, Readout]:
        return parts_of(self.method, {**self.params, **({"prompt": self.prompt} if self.prompt else {})})

    @cached_property
    def template(self) -> Template:
        return self._parts[0]

    @property
    def readout(self) -> Readout:
        """What reads an answer at inference."""
        return self._parts[1]

    def features(self, groups: Sequence[Group]) -> dict[str, Any]:
        rows, lengths = [], []
        for group in groups:
            for shown, targets in self._asked(group):
                prompt, answer = self.row(group, shown, targets)
                rows.append([*prompt, *answer])
                lengths.append(len(answer))
        ids, mask = padded(rows, self.pad(), left=True)
        return {"ids": ids, "attention": mask, "written": self.loaded.torch.tensor(lengths)}

    def forward(self, module: Any, features: Mapping[str, Any], wanted: frozenset[Given]) -> dict[Given, Any]:
        ids, lengths = features["ids"], features["written"]
        logits = last_logits(module.model, ids, features["attention"], int(lengths.max()) + 1)
        return {"text": answer_loss(self.loaded.torch, logits, ids, lengths)}

    def opens_with(self, folder: str) -> dict[str, Any]:
        prompt = {"prompt": str(self.prompt)} if self.prompt else {}
        return {"method": self.method, "model": folder, **self.params, **prompt, "options": self.options}

    def smoke_changes(self, folder: Path) -> dict[str, Any]:
        """A prompt whose answers are short, since a random model does not know when to stop."""
        name = self.prompt or self.template.name
        path = folder / f"short-{Path(name).stem}.toml"
        path.write_text(_LENGTH.sub("max_tokens = 16", prompt_text(name)), encoding="utf-8")
        words = {"yes": "1", "no": "0"} if isinstance(self.readout, YesNo) else {}  # one token each in any vocabulary
        return {"prompt": str(path), "context": None, "params": {**self.params, **words}}

    def row(self, group: Group, shown: Sequence[Candidate], targets: Sequence[float]) -> tuple[list[int], list[int]]:
        """The tokens of the prompt, prefill included, and those of the answer behind it."""
        request = self.request(group.query, shown)
        prompt = self.ids(request)
        answer = self.said(request, prompt, _pieces(self._text(group, shown, targets).removeprefix(request.prefill)))
        room = (self.context or self.loaded.window or len(prompt) + len(answer)) - len(prompt)
        if room < 1:
            raise InputError(f"query {group.query.id!r}: its prompt of {len(prompt)} tokens leaves no room to answer")
        return prompt, answer[: min(room, self.answer_tokens or room)]

    def _asked(self, group: Group) -> Iterator[tuple[Sequence[Candidate], Sequence[float]]]:
        """What is asked about at once: the whole group, or one document after the other."""
        targets = known(group.targets)
        targets = graded(self.readout, targets) if self.spread else targets
        if self.listwise:
            yield group.candidates, targets
        else:
            for candidate, target in zip(group.candidates, targets, strict=True):
                yield (candidate,), (target,)

    def _text(self, group: Group, shown: Sequence[Candidate], targets: Sequence[float]) -> str:
        ids = tuple(candidate.id for candidate in shown)
        recorded = next((call for call in group.answers if call.group == ids), None)
        if recorded is not None:
            return recorded.output + self._verdict(recorded)
        return self.form.replace("{answer}", written(self.template, self.readout, targets))

    def _verdict(self, recorded: Call) -> str:
        """The word behind a thought, which a method that compares two words does not record."""
        readout = self.readout
        if not isinstance(readout, YesNo):
            return ""
        return readout.yes if recorded.scores[0] > (0.5 if readout.output == "probability" else 0) else readout.no


def _pieces(text: str) -> list[Piece]:
    """A model's text: nothing in it is a control token, except around a thought."""
    parts = enumerate(_THINKING.split(text))
    return [Piece(part, plain=not number % 2) for number, part in parts if part]
