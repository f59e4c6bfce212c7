"""A request as pieces of text: the chat template rendered around slots, so that it never sees a document.

The template is rendered once per sequence of roles, with markers in place of the contents; contents are put in as plain
pieces. So no document can end a turn, whatever a template does with contents. A template without a system role
(Mistral's, Gemma's) gets the system text in front of the first user message, joined as FIRST's code does it
(arXiv 2406.15657). It does not know tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import ConfigError
from ...core.exchange import Message, Request, Segments
from ...core.extras import need
from .texts import Piece

_JOINT = "\n "  # between system and user text; gangiswag/llm-reranker 2d7cba4
_EDGE = "\v"  # blank to a template that trims, and in no template's own text
_SLOT = re.compile(f"({_EDGE}?)\ue000(\\d+)\ue001({_EDGE}?)")


@dataclass(frozen=True, slots=True)
class Slot:
    """Where the content of a message goes, and whether the template trims it on either side."""

    message: int
    trim_left: bool
    trim_right: bool


@dataclass
class Chat:
    """Renders requests with a tokenizer's chat template; ``options`` go to the template (``enable_thinking``)."""

    tokenizer: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    _known: dict[tuple[str, ...], tuple[str | Slot, ...] | None] = field(init=False, repr=False, default_factory=dict)

    def pieces(self, request: Request) -> list[Piece]:
        """The prompt and the prefill. Raises ConfigError when the template refuses the turns or there is none."""
        if isinstance(request.prompt, str):
            return [Piece(request.prompt, plain=True), *begin_of(request)]
        if isinstance(request.prompt, Segments):
            raise ConfigError(
                "the prompt is segments, for models that encode texts one by one (fusion-in-decoder); this model "
                "reads one text: use a prompt with layout 'chat', 'turns' or 'text'"
            )
        turns: Sequence[Message] = request.prompt
        skeleton = self._skeleton(tuple(turn.role for turn in turns))
        if skeleton is None:
            turns = merged(turns)
            skeleton = self._skeleton(tuple(turn.role for turn in turns))
        assert skeleton is not None
        return [*(self._piece(part, turns) for part in skeleton), *begin_of(request)]

    def _piece(self, part: str | Slot, turns: Sequence[Message]) -> Piece:
        if isinstance(part, str):
            return Piece(part)
        text = turns[part.message].content
        text = text.lstrip() if part.trim_left else text
        return Piece(text.rstrip() if part.trim_right else text, plain=True)

    def _skeleton(self, roles: tuple[str, ...]) -> tuple[str | Slot, ...] | None:
        """The rendered turns with slots; ``None`` when the template knows no system role."""
        if roles not in self._known:
            self._known[roles] = self._rendered(roles)
        return self._known[roles]

    def _rendered(self, roles: tuple[str, ...]) -> tuple[str | Slot, ...] | None:
        if not self.tokenizer.chat_template:
            raise ConfigError(
                "the model has no chat template and the prompt is a chat; give chat_template=..., or use a prompt "
                "with layout 'text'"
            )
        turns = [{"role": r, "content": f"{_EDGE}\ue000{i}\ue001{_EDGE}"} for i, r in enumerate(roles)]
        has_system = roles[:1] == ("system",) and len(roles) > 1
        try:
            text = self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True, **dict(self.options)
            )
        except need("jinja2", extra="local").TemplateError as error:
            if has_system:
                return None
            raise ConfigError(f"the chat template refuses the turns {', '.join(roles)}: {error}") from error
        parts: list[str | Slot] = []
        start = 0
        for found in _SLOT.finditer(text):
            parts += [text[start : found.start()], Slot(int(found[2]), not found[1], not found[3])]
            start = found.end()
        parts.append(text[start:])
        absent = set(range(len(roles))) - {part.message for part in parts if isinstance(part, Slot)}
        if absent == {0} and has_system:
            return None
        if absent:
            raise ConfigError(f"the chat template leaves out message {min(absent) + 1} of {', '.join(roles)}")
        return tuple(parts)


def begin_of(request: Request) -> list[Piece]:
    """What the answer begins with; a thought is a model's own text, in which nothing is a control token."""
    said = [Piece(request.thought, plain=True), Piece(request.closing)] if request.thought or request.closing else []
    return [Piece(request.prefill), *said]


def merged(turns: Sequence[Message]) -> tuple[Message, ...]:
    """The system text in front of the first user message.

    >>> merged((Message("system", "Be brief."), Message("user", "Why?")))
    (Message(role='user', content='Be brief.\\n Why?'),)
    """
    system, first, *rest = turns
    if first.role != "user":
        raise ConfigError(f"the chat template has no system role, and a {first.role} message follows the system text")
    return (Message("user", f"{system.content}{_JOINT}{first.content}"), *rest)
