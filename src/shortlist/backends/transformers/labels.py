"""Which single token a label is, right after a context: exact ids, checked by tokenising context and label together.

Where a label follows a word or a colon it is written with a blank (``Relevant: true``), elsewhere without one (after
``[`` or a line end); the other form is taken when only that is one token. Some vocabularies merge the context's end and
the label into one token (``[A``); when they do so for every label, the question is asked one token earlier, where the
merged token stands. A label that begins with SentencePiece's mark (U+2581) is the piece of that name.

Source: the check that FIRST needs (arXiv 2406.15657); it holds for every label readout. It does not know models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...core.errors import ConfigError
from .texts import Piece, Texts

_MOST = 4096
_MARK = "\u2581"
_OPENING = "([{<\"'\u00ab\u201c\u2018"


@dataclass(frozen=True, slots=True)
class LabelIds:
    """ids: one token per label, in order. merged: tokens at the context's end that the labels' tokens replace."""

    ids: tuple[int, ...]
    merged: int = 0


class Labels:
    """Looks labels up once per context; an empty context is the begin of a text (a decoder's)."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._known: dict[tuple[str, bool, tuple[str, ...]], LabelIds] = {}

    def ids(self, pieces: Sequence[Piece], labels: tuple[str, ...]) -> LabelIds:
        """The tokens of ``labels`` behind the pieces. Raises ConfigError for a label that is not one token there, or
        two labels that are the same one."""
        tail, plain = _tail(pieces)
        key = (tail, plain, labels)
        if key not in self._known:
            if len(self._known) > _MOST:  # raw prompts end in documents, of which there is no end
                self._known.clear()
            self._known[key] = self._looked_up(Piece(tail, plain), labels)
        return self._known[key]

    def _looked_up(self, tail: Piece, labels: tuple[str, ...]) -> LabelIds:
        context = self._texts.encode([tail])
        spaced = bool(tail.text) and not tail.text[-1].isspace() and tail.text[-1] not in _OPENING
        spaced = spaced and not self._texts.ends_with_control(tail)
        found = [self._one(tail, context, label, spaced) for label in labels]
        bad = [label for label, at in zip(labels, found, strict=True) if at is None]
        depths = {at[1] for at in found if at is not None}
        if bad or len(depths) > 1:
            what = self._why(tail, context, bad) if bad else "only some merge with the context"
            raise ConfigError(
                f"labels {labels[:6]} behind {tail.text!r}: {what} in this model's vocabulary; use other labels or "
                "identifiers, or a prefill that ends differently"
            )
        ids = tuple(at[0] for at in found if at is not None)
        if len(set(ids)) != len(ids):
            raise ConfigError(f"labels {labels[:6]} behind {tail.text!r}: two of them are the same token {ids[:6]}")
        return LabelIds(ids, depths.pop() if depths else 0)

    def _why(self, tail: Piece, context: list[int], bad: list[str]) -> str:
        """What is wrong with labels that have no token of their own behind the context."""
        said = []
        for label in bad[:3]:
            behind = self._texts.encode([tail, Piece(label, plain=True)])
            if behind[: len(context)] == context:
                said.append(f"{label!r} is {len(behind) - len(context)}")
            else:
                said.append(f"{label!r} merges with the text before it")
        return f"{bad[:6]} are not one token each ({', '.join(said)})"

    def _one(self, tail: Piece, context: list[int], label: str, spaced: bool) -> tuple[int, int] | None:
        """(token, context tokens that it replaces), or None."""
        control = self._texts.control_id(label)
        if control is not None:
            return control, 0
        if label.startswith(_MARK):
            piece = self._texts.piece_id(label)
            return None if piece is None else (piece, 0)
        if spaced:
            return self._behind(tail, context, f" {label}") or self._behind(tail, context, label)
        return self._behind(tail, context, label) or self._behind(tail, context, f" {label}")

    def _behind(self, tail: Piece, context: list[int], form: str) -> tuple[int, int] | None:
        ids = self._texts.encode([tail, Piece(form, plain=True)])
        replaced = len(context) - len(ids) + 1
        if not form.strip() or replaced < 0 or ids[:-1] != context[: len(ids) - 1]:
            return None
        return ids[-1], replaced


def _tail(pieces: Sequence[Piece]) -> tuple[str, bool]:
    """The last word of the prompt with what blank follows it: enough to see how a label is tokenised behind it."""
    filled = [piece for piece in pieces if piece.text]
    if not filled:
        return "", False
    last = filled[-1]
    if not last.plain:
        return last.text, False
    words = last.text.rsplit(maxsplit=1)
    return last.text[last.text.rfind(words[-1]) :] if words else last.text, True
