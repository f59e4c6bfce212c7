"""Text to tokens with one rule: control tokens come from templates and prefills, never from queries and documents.

A prompt is a sequence of pieces. In a ``Piece`` that is not plain, ``<|im_end|>`` is the control token; in a plain one
it is ten characters. Where no plain piece holds such a string the whole prompt is tokenised in one go, exactly as the
rendered string would be; otherwise in runs between control tokens, with special tokens split.

Control tokens are the tokenizer's special ones, and the added ones that its chat template writes (``<think>``).
It needs a tokenizer of the tokenizers library and does not know chats or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...core.errors import BackendError
from .words import Words, any_of


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of a prompt; ``plain`` text holds no control tokens, whatever it looks like."""

    text: str
    plain: bool = False


class Texts:
    """The tokenizer of a model, with settings of its own (no truncation, no padding).

    chat_template: used instead of the tokenizer's own, which it replaces.
    """

    def __init__(self, tokenizer: Any, chat_template: str | None = None) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise BackendError(f"{type(tokenizer).__name__} is no fast tokenizer; the folder needs a tokenizer.json")
        if chat_template is not None:
            tokenizer.chat_template = chat_template
        self.tokenizer = tokenizer
        self._parsing, self._splitting = _copy(tokenizer), _copy(tokenizer)
        self._splitting.encode_special_tokens = True
        self._words = Words.of(self._splitting)
        template = str(tokenizer.chat_template or "")
        self._control = {
            added.content: (number, added.lstrip, added.rstrip)
            for number, added in self._parsing.get_added_tokens_decoder().items()
            if added.special or (added.content in template and not added.content.isspace())
        }
        self._control_ids = frozenset(number for number, _, _ in self._control.values())
        self._pattern = any_of(self._control)

    @cached_property
    def around(self) -> tuple[list[int], list[int]]:
        """The tokens that the tokenizer puts before and after a single text (BOS, EOS)."""
        encoded = self._parsing.encode("a", add_special_tokens=True)
        inner = [i for i, special in enumerate(encoded.special_tokens_mask) if not special]
        return encoded.ids[: inner[0]], encoded.ids[inner[-1] + 1 :]

    @cached_property
    def pair_parts(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """What stands before, between and after the texts of a pair, and the type of each token of ("a", "b")."""
        encoded = self._parsing.encode("a", "b", add_special_tokens=True)
        side = encoded.sequence_ids
        first = [i for i, s in enumerate(side) if s == 0]
        second = [i for i, s in enumerate(side) if s == 1]
        ids = encoded.ids
        types = [encoded.type_ids[first[0]], encoded.type_ids[second[0]]]
        return ids[: first[0]], ids[first[-1] + 1 : second[0]], ids[second[-1] + 1 :], types

    def control_id(self, text: str) -> int | None:
        """The id of a control token, or of any other added token, by its text."""
        return self._control[text][0] if text in self._control else None

    def piece_id(self, piece: str) -> int | None:
        """The id of an entry of the vocabulary by its own name."""
        found: int | None = self._parsing.token_to_id(piece)
        return found

    def ends_with_control(self, piece: Piece) -> bool:
        """Whether the last token of the piece is a control token."""
        return not piece.plain and piece.text.endswith(tuple(self._control))

    def plain(self, text: str) -> list[int]:
        """Tokens of a text in which nothing is a control token."""
        text = whole_text(text)
        ids = self._ids(text, split=True)
        if self._control_ids.isdisjoint(ids):
            return ids
        return [i for part in self._cut(text) for i in self._ids(part, split=True)]

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Where each token of a plain text begins and ends, in characters: for counting and cutting."""
        text = whole_text(text)
        known = self._words.offsets(text) if self._words else None
        if known is not None:
            return known
        found: list[tuple[int, int]] = self._splitting.encode(text, add_special_tokens=False).offsets
        return found

    def encode(self, pieces: Sequence[Piece]) -> list[int]:
        """Tokens of a prompt, without BOS or EOS beyond what the pieces say."""
        if not any(piece.plain and self._pattern.search(piece.text) for piece in pieces):
            return self._ids(whole_text("".join(piece.text for piece in pieces)), split=False)
        ids: list[int] = []
        run, eat = "", False
        for part, control in self._split(pieces):
            if control is None:
                run += part.lstrip() if eat else part
                eat = eat and not part.strip()
                continue
            number, lstrip, eat = self._control[control]
            ids += self.plain(run.rstrip() if lstrip else run)
            ids.append(number)
            run = ""
        return ids + self.plain(run)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of tokens, without the special ones."""
        text: str = self._parsing.decode(list(ids), skip_special_tokens=True)
        return text

    def _ids(self, text: str, *, split: bool) -> list[int]:
        """Tokens of a text; control tokens are split or recognised."""
        known = self._words.ids(text, split=split) if self._words else None
        if known is not None:
            return known
        tokenizer = self._splitting if split else self._parsing
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _split(self, pieces: Sequence[Piece]) -> list[tuple[str, str | None]]:
        """(text, None) for text and (text, control token) for the control tokens of pieces that are not plain."""
        parts: list[tuple[str, str | None]] = []
        for piece in pieces:
            start = 0
            for found in () if piece.plain else self._pattern.finditer(piece.text):
                parts += [(piece.text[start : found.start()], None), (found[0], found[0])]
                start = found.end()
            parts.append((piece.text[start:], None))
        return parts

    def _cut(self, text: str) -> list[str]:
        """The text cut inside every control string, for vocabularies that hold it as a word or an unsplit token."""
        parts, start = [], 0
        for found in self._pattern.finditer(text):
            parts.append(text[start : found.start() + 1])
            start = found.start() + 1
        return [*parts, text[start:]]


def whole_text(text: str) -> str:
    """The text with ``?`` for each half of a surrogate pair, which files hold and tokenizers refuse."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _copy(tokenizer: Any) -> Any:
    backend = tokenizer.backend_tokenizer
    copy = type(backend).from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy
