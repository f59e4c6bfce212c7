"""Prompts to tokens as ``CausalLM`` has them: template, fit, chat template, control tokens, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from ...backends.transformers.chat import Chat
from ...backends.transformers.decoding import end_tokens
from ...backends.transformers.labels import Labels
from ...backends.transformers.local import Loaded, Task
from ...backends.transformers.texts import Piece, Texts
from ...core.errors import InputError
from ...core.exchange import Request
from ...core.types import Candidate, Query
from ...prompts import Fitted, Template, load_prompt
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
    def template(self) -> Template:
        """What is written around query and passages."""
        return load_prompt(self.prompt)

    @cached_property
    def fitted(self) -> Fitted:
        """The template with passages cut to fit, as at inference."""
        window = self.context or self.loaded.window or _UNLIMITED
        return Fitted(self.template, window, self.texts.offsets, measure=self._measure)

    @property
    def options(self) -> dict[str, Any]:
        """Options of a method with which it asks what this student was asked."""
        context = {} if self.context is None else {"context": self.context}
        return context | ({"template_options": dict(self.template_options)} if self.template_options else {})

    def request(self, query: Query, candidates: Sequence[Candidate], labels: tuple[str, ...] = ()) -> Request:
        """The rendered prompt."""
        return self.fitted.render(query, candidates, labels=labels)

    def ids(self, request: Request, continued: str = "") -> list[int]:
        """The tokens that the model is given, with a plain text behind the prompt."""
        begin = self.texts.around[0] if isinstance(request.prompt, str) else []
        return [*begin, *self.texts.encode([*self.chat.pieces(request), *_plain(continued)])]

    def said(self, request: Request, prompt: list[int], pieces: Sequence[Piece]) -> list[int]:
        """The tokens of an answer behind the prompt and its prefill, and the end token.

        prompt: what ``ids`` gave. Where the answer's first characters would merge with the prompt's last token, which a
        model that has read the prompt cannot write, it is tokenised by itself.
        """
        begin = self.texts.around[0] if isinstance(request.prompt, str) else []
        whole = [*begin, *self.texts.encode([*self.chat.pieces(request), *pieces])]
        fits = whole[: len(prompt)] == prompt
        return [*(whole[len(prompt) :] if fits else self.texts.encode(pieces)), end_token(self.loaded)]

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


def end_token(loaded: Loaded) -> int:
    """The token that a student learns to end with: the tokenizer's, with which chat templates end a turn."""
    ends, own = end_tokens(loaded), loaded.tokenizer.eos_token_id
    return int(own) if own in ends else min(ends)


def _plain(text: str) -> list[Piece]:
    return [Piece(text, plain=True)] if text else []


def last_logits(model: Any, ids: Any, mask: Any, keep: int) -> Any:
    """Logits of the last ``keep`` positions (rows, keep, vocabulary), float32; rows are padded on the left."""
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    output = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=keep)
    return output.logits.float()


def answer_loss(torch: Any, logits: Any, ids: Any, written: Any) -> Any:
    """Mean cross-entropy of the answers' tokens, over all rows together.

    logits: (rows, longest + 1, vocabulary), of the last positions. ids: (rows, tokens), padded on the left. written:
    (rows,), how many tokens at the end of each row are its answer; ``longest`` is the most of them.
    """
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), answer_targets(torch, ids, written).flatten(), ignore_index=-100
    )


def answer_targets(torch: Any, ids: Any, written: Any) -> Any:
    """(rows, longest): the tokens of the answers, and -100 before them."""
    longest = int(written.max())
    targets = ids[:, -longest:].clone()
    places = torch.arange(longest, device=ids.device)[None]
    targets[places < (longest - written)[:, None]] = -100
    return targets
