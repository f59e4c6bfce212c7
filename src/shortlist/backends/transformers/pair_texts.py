"""A query and a document as the tokens of a pair classifier: forms, special tokens, types, and what is cut.

Shared by the runtime (``SequenceClassifier``) and by training, so that both show a model the same tokens. The query
comes first and is cut to the same length beside every document; what it leaves is the document's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from ...core.errors import InputError
from .texts import Texts

_REMEMBERED = 256  # queries whose tokens are kept: a query comes with all its documents


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two texts in its form: what is left of it, its tokens, and how many there were.

    text: the form that is left. ids: its tokens; special tokens are not among them. total: tokens before the cut.
    """

    text: str
    ids: list[int]
    total: int

    @property
    def cut(self) -> bool:
        return len(self.ids) < self.total


@dataclass(frozen=True)
class PairTexts:
    """query, document: the forms of the two texts, ``{text}`` in each. join: ``pair`` puts the tokenizer's special
    tokens around both, ``text`` one blank between them. eos: a token behind everything, or None. window: tokens of a
    pair, special tokens included. query_tokens, document_tokens: limits of the two texts in their forms, special tokens
    not counted; None is the window alone. A query never takes more than three quarters of what the special tokens
    leave, so that there is room for the document, which loses its end to fit the rest."""

    texts: Texts
    query: str
    document: str
    join: Literal["pair", "text"]
    eos: int | None
    window: int
    query_tokens: int | None = None
    document_tokens: int | None = None
    _asked: dict[str, Side] = field(default_factory=dict, init=False, repr=False, compare=False)

    def asked(self, query: str) -> Side:
        """The query in its form, within its limits."""
        known = self._asked.get(query)
        if known is None:
            if len(self._asked) >= _REMEMBERED:
                self._asked.clear()
            known = self._asked[query] = self._within(self.query.replace("{text}", query), self.query_limit)
        return known

    def shown(self, document: str) -> Side:
        """The document in its form, within ``document_tokens``; the window is not looked at."""
        return self._within(self.document.replace("{text}", document), self.document_tokens)

    def shortened(self, document: str) -> str:
        """The document as far as ``document_tokens`` reaches."""
        if self.document_tokens is None:
            return document
        side, start = self.shown(document), self.document.index("{text}")
        return side.text[start : start + len(document)] if side.cut else document

    @cached_property
    def query_limit(self) -> int:
        """Tokens that a query may take."""
        room = (self.window - self._special) * 3 // 4
        return max(0, room if self.query_tokens is None else min(room, self.query_tokens))

    def room(self, query: str) -> int:
        """Tokens that are left for a document's own text beside the query. Raises InputError when there are none."""
        room = self._beside(query) - self._form
        if room < 1:
            raise InputError(
                f"{self.window} tokens hold the query and the forms, but nothing of a document; use a larger "
                "max_length, or a smaller query_tokens"
            )
        return room

    def tokens(self, query: str, document: str) -> tuple[list[int], list[int], bool]:
        """Token ids, their types, and whether something of the two was cut. Raises InputError when nothing of the
        document would be left."""
        asked, shown = self.asked(query), self.shown(document)
        if self.join == "pair":
            first, second = asked.ids, shown.ids
            before, between, after, kinds = self.texts.pair_parts
            room = self._beside(query)
        else:
            first, second = [], self.texts.plain(f"{asked.text} {shown.text}")
            (before, after), between, kinds = self.texts.around, [], [0, 0]
            room = self.window - self._special
        if len(second) > room:
            self.room(query)
        eos = [] if self.eos is None else [self.eos]
        ids = [*before, *first, *between, *second[: max(0, room)], *after, *eos]
        split = len(before) + len(first) + len(between)
        cut = asked.cut or shown.cut or len(second) > room
        return ids, [kinds[0]] * split + [kinds[1]] * (len(ids) - split), cut

    def _beside(self, query: str) -> int:
        """Tokens that are left for the document in its form."""
        asked = self.asked(query)
        first = asked.ids if self.join == "pair" else self.texts.plain(f"{asked.text} ")
        return self.window - len(first) - self._special

    def _within(self, text: str, limit: int | None) -> Side:
        if self.join == "text" and limit is None:
            return Side(text, [], 0)  # tokenised with the query, as one text
        ids = self.texts.plain(text)
        if limit is None or len(ids) <= limit:
            return Side(text, ids, len(ids))
        places = self.texts.offsets(text)[:limit]
        return Side(text[: places[-1][1]] if places else "", ids[:limit], len(ids))

    @cached_property
    def _form(self) -> int:
        return sum(len(self.texts.plain(part)) for part in self.document.split("{text}"))

    @cached_property
    def _special(self) -> int:
        parts = self.texts.pair_parts[:3] if self.join == "pair" else self.texts.around
        return sum(map(len, parts)) + (self.eos is not None)
