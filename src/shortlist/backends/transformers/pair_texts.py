"""A query and a document as the tokens of a pair classifier: forms, special tokens, types, and what is cut.

Shared by the runtime (``SequenceClassifier``) and by training, so that both show a model the same tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from .texts import Texts


@dataclass(frozen=True)
class PairTexts:
    """query, document: the forms of the two texts, ``{text}`` in each. join: ``pair`` puts the tokenizer's special
    tokens around both, ``text`` one blank between them. eos: a token behind everything, or None. window: tokens of a
    pair; a longer one loses the end of its document, the query stays whole up to three quarters of the window."""

    texts: Texts
    query: str
    document: str
    join: Literal["pair", "text"]
    eos: int | None
    window: int

    def first(self, query: str) -> list[int]:
        """The query's tokens."""
        query = self.query.replace("{text}", query)
        ids = self.texts.plain(query if self.join == "pair" else f"{query} ")
        return ids[: self.window * 3 // 4]

    def room(self, first: list[int]) -> int:
        """Tokens that are left for the document."""
        return max(1, self.window - len(first) - self._special)

    def tokens(self, query: str, document: str) -> tuple[list[int], list[int], bool]:
        """Token ids, their types, and whether the document was cut."""
        texts, shown = self.texts, self.document.replace("{text}", document)
        if self.join == "pair":
            first, second = self.first(query), texts.plain(shown)
            before, between, after, kinds = texts.pair_parts
        else:
            first, second = [], texts.plain(f"{self.query.replace('{text}', query)} {shown}")
            (before, after), between, kinds = texts.around, [], [0, 0]
        room = self.room(first)
        eos = [] if self.eos is None else [self.eos]
        ids = [*before, *first, *between, *second[:room], *after, *eos]
        split = len(before) + len(first) + len(between)
        return ids, [kinds[0]] * split + [kinds[1]] * (len(ids) - split), len(second) > room

    @cached_property
    def _special(self) -> int:
        parts = self.texts.pair_parts[:3] if self.join == "pair" else self.texts.around
        return sum(map(len, parts)) + (self.eos is not None)
