"""A prompt in parts as tokens: where each passage stands, and the ends that may follow.

Every part is tokenised by itself and the tokens are put together, so a passage's tokens are its own whatever stands
beside it. Tokenizers that begin a text with a blank (SentencePiece) do so only at the begin of the prompt: a part is
tokenised behind the text before it, whose tokens are then left out. Control tokens come from the chat template alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ...core.errors import ConfigError
from ...core.exchange import Message, Request
from .chat import Chat
from .texts import Piece, Texts

_MARK = "\ue002"


@dataclass(frozen=True, slots=True)
class PartIds:
    """Tokens. prefix: everything before the tails. spans: where the tokens of each passage stand in it."""

    prefix: list[int]
    spans: list[tuple[int, int]]
    tails: list[list[int]]

    @property
    def longest(self) -> int:
        """Tokens of the prompt with its longest tail."""
        return len(self.prefix) + max(map(len, self.tails))


@dataclass
class PartTexts:
    """Tokenises requests that have parts."""

    texts: Texts
    chat: Chat
    _anchors: dict[str, list[int]] = field(init=False, repr=False, default_factory=dict)

    def encode(self, request: Request) -> PartIds:
        """Raises ConfigError for a request without parts, or whose last turn is not the user's."""
        parts = request.parts
        if parts is None or not parts.tails:
            raise ConfigError("the prompt has no tails; use a template with a tail, such as 'icr'")
        around = [self._around(request, parts.head, tail) for tail in parts.tails]
        prefix = [*(self.texts.around[0] if isinstance(request.prompt, str) else ()), *self.texts.encode(around[0][0])]
        between = self._behind("a", [Piece(parts.between, plain=True)])
        spans = []
        for i, passage in enumerate(parts.passages):
            prefix += between if i else []
            own = self._behind(parts.between or "\n", [Piece(passage, plain=True)])
            spans.append((len(prefix), len(prefix) + len(own)))
            prefix += own
        prefix += self._behind("a", [Piece(parts.behind, plain=True)])
        tails = [self._behind(parts.behind or "\n", pieces) for _, pieces in around]
        return PartIds(prefix, spans, tails)

    def _around(self, request: Request, head: str, tail: str) -> tuple[list[Piece], list[Piece]]:
        """What stands before the first passage and from the tail on, chat template and prefill included."""
        text = f"{head}{_MARK}{tail}"
        prompt: str | tuple[Message, ...] = text
        if isinstance(request.prompt, tuple) and request.prompt and request.prompt[-1].role == "user":
            prompt = (*request.prompt[:-1], Message("user", text))
        elif not isinstance(request.prompt, str):
            raise ConfigError("the passages must stand in a raw prompt, or in a chat that ends with a user's turn")
        pieces = self.chat.pieces(replace(request, prompt=prompt))
        at = next(i for i, piece in enumerate(pieces) if piece.plain and _MARK in piece.text)
        left, _, right = pieces[at].text.partition(_MARK)
        return [*pieces[:at], Piece(left, plain=True)], [Piece(right, plain=True), *pieces[at + 1 :]]

    def _behind(self, before: str, pieces: Sequence[Piece]) -> list[int]:
        """The tokens of the pieces as they stand behind a text; alone where the two cannot be told apart."""
        if not any(piece.text for piece in pieces):
            return []
        first = self._anchor(before)
        both = self.texts.encode([Piece(before, plain=True), *pieces])
        return both[len(first) :] if both[: len(first)] == first else self.texts.encode(pieces)

    def _anchor(self, before: str) -> list[int]:
        if before not in self._anchors:
            self._anchors[before] = self.texts.encode([Piece(before, plain=True)])
        return self._anchors[before]
