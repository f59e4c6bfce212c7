"""Prompts to tokens as ``CausalLM`` has them: template, fit, chat template, control tokens, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from ...backends.transformers.chat import Chat
from ...backends.transformers.labels import Labels
from ...backends.transformers.local import Task
from ...backends.transformers.texts import Piece, Texts
from ...core.errors import InputError
from ...core.exchange import Request
from ...core.types import Candidate, Query
from ...prompts import Fitted, load_prompt
from ._base import Student

_UNLIMITED = 4096  # as prompts are fitted at inference, for models that state no window


@dataclass(frozen=True)
class Prompted(Student):
    """prompt: a template's name or path. context: tokens of a prompt; None is the model's window. chat_template,
    template_options: as in ``CausalLM``, and to be given at inference too."""

    _: KW_ONLY
    prompt: str = ""
    context: int | None = None
    chat_template: str | None = None
    template_options: dict[str, Any] = field(default_factory=dict)

    task: ClassVar[Task] = "causal"

    @cached_property
    def texts(self) -> Texts:
        if self.chat_template is not None:
            self.loaded.tokenizer.chat_template = self.chat_template
        return Texts(self.loaded.tokenizer)

    @cached_property
    def chat(self) -> Chat:
        """Renders requests with the tokenizer's chat template."""
        return Chat(self.texts.tokenizer, self.template_options)

    @cached_property
    def known_labels(self) -> Labels:
        """Finds the token of a label behind a prompt."""
        return Labels(self.texts)

    @cached_property
    def fitted(self) -> Fitted:
        """The template with passages cut to fit, as at inference."""
        window = self.context or self.loaded.window or _UNLIMITED
        return Fitted(load_prompt(self.prompt), window, self.texts.offsets, measure=self._measure)

    def request(self, query: Query, candidates: Sequence[Candidate], labels: tuple[str, ...] = ()) -> Request:
        """The rendered prompt."""
        return self.fitted.render(query, candidates, labels=labels)

    def ids(self, request: Request, continued: str = "") -> list[int]:
        """The tokens that the model is given, with a plain text behind the prompt."""
        begin = self.texts.around[0] if isinstance(request.prompt, str) else []
        return [*begin, *self.texts.encode([*self.chat.pieces(request), *_plain(continued)])]

    def asked(self, request: Request) -> tuple[list[int], tuple[int, ...]]:
        """The prompt up to where the labels of the request stand, and their tokens."""
        found = self.known_labels.ids(self.chat.pieces(request), request.labels)
        ids = self.ids(request)
        ids = ids[: len(ids) - found.merged]
        if not ids:
            raise InputError("a prompt has no tokens before its labels")
        return ids, found.ids

    def _measure(self, request: Request) -> int:
        return len(self.ids(request))


def _plain(text: str) -> list[Piece]:
    return [Piece(text, plain=True)] if text else []


def last_logits(model: Any, ids: Any, mask: Any, keep: int) -> Any:
    """Logits of the last ``keep`` positions (rows, keep, vocabulary), float32; rows are padded on the left."""
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    output = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=keep)
    return output.logits.float()
