"""A cross-encoder on the CPU: a sequence-classification folder scores (query, document) pairs, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import ConfigError
from shortlist.core.protocols import Capability
from shortlist.core.types import Length, Scale

from .batches import Encoded, Stats
from .choice import AnyPrecision, AnyRuntime, Choice
from .loaded import LoadedModel
from .tokens import Passage


@dataclass
class PairScorer:
    """Scores pairs with a cross-encoder; parameters as for ``Encoder``.

    label: which output is the score when the head has more than two; with one output it is that, with two the second
    minus the first. The query keeps at most three quarters of the window, beside every document; the document loses its
    end to fit the rest. Pairs that were cut are counted (``stats.cut``), ``lengths`` tells which, ``split`` makes
    passages that fit beside a query.
    """

    path: str | Path
    _: KW_ONLY
    runtime: AnyRuntime = "auto"
    precision: AnyPrecision = "auto"
    threads: int | None = None
    max_length: int | None = None
    batch_tokens: int = 4096
    label: int | None = None

    @cached_property
    def _loaded(self) -> LoadedModel:
        return LoadedModel(
            self.path, self.runtime, self.precision, self.threads, self.max_length, self.batch_tokens, "logits"
        )

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.PAIR_SCORES})

    @property
    def scale(self) -> Scale:
        return Scale.LOGIT

    @property
    def choice(self) -> Choice:
        """Runtime and precision in use, and why."""
        return self._loaded.choice

    @property
    def stats(self) -> Stats:
        """Pairs, tokens, padding and cuts so far."""
        return self._loaded.stats

    @property
    def window(self) -> int:
        """Tokens that are read of one pair, special tokens included."""
        return self._loaded.window

    @property
    def digest(self) -> str:
        """Identifies the numbers: weights, tokenizer, precision, runtime, window."""
        return f"{self._loaded.digest}-{self.label}"

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """One logit per (query, document)."""
        logits = self.logits(pairs)
        width = logits.shape[1]
        if self.label is not None:
            if not 0 <= self.label < width:
                raise ConfigError(f"label is {self.label}; {self.path} has {width} outputs")
            scores = logits[:, self.label]
        elif width > 2:
            raise ConfigError(f"{self.path} has {width} outputs; say with label=... which of them is the score")
        else:
            scores = logits[:, 0] if width < 2 else logits[:, 1] - logits[:, 0]
        return [float(score) for score in scores]

    def logits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """All outputs of the head, shape (pairs, labels), float32, no activation applied."""
        model = self._loaded.model
        if model.onnx_file is None and model.labels == 0:
            raise ConfigError(f"{self.path} has no sequence-classification head; it is not a cross-encoder")
        rows = self._loaded.run([self._encode(pair) for pair in pairs], lambda row, length: row)
        return np.stack(rows) if rows else np.zeros((0, max(model.labels, 1)), np.float32)

    @overload
    def lengths(self, texts: Sequence[tuple[str, str]], *, kind: Literal["pair"] = "pair") -> list[Length]: ...
    @overload
    def lengths(self, texts: Sequence[str], *, kind: Literal["query"]) -> list[Length]: ...
    def lengths(
        self, texts: Sequence[tuple[str, str]] | Sequence[str], *, kind: Literal["pair", "query"] = "pair"
    ) -> list[Length]:
        """Tokens of each pair, special tokens included, or of each query, without them, and how many are read;
        tokenises, does not score."""
        tokens, found = self._loaded.model.tokens, []
        for text in texts:
            query, document = (text, None) if isinstance(text, str) else text
            asked = len(tokens.ids(query))
            kept = min(asked, self._query_room)
            if document is None:
                found.append(Length(asked, kept))
                continue
            shown = len(tokens.ids(document))
            read = min(kept + shown + tokens.pair_extra, self.window)
            found.append(Length(asked + shown + tokens.pair_extra, read))
        return found

    def split(self, query: str, text: str, *, overlap: int = 32) -> list[Passage]:
        """Passages of ``text`` that fit the window beside ``query``."""
        room = self.window - self._loaded.model.tokens.pair_extra
        room -= min(len(self._loaded.model.tokens.ids(query)), self._query_room)
        return self._loaded.model.tokens.split(text, room, min(overlap, room - 1))

    def split_document(self, text: str, *, query: str = "") -> list[str]:
        """The passages of ``split`` as texts."""
        return [text[passage.start : passage.end] for passage in self.split(query, text)]

    @property
    def _query_room(self) -> int:
        """Tokens that a query may take."""
        return (self.window - self._loaded.model.tokens.pair_extra) * 3 // 4

    def _encode(self, pair: tuple[str, str]) -> Encoded:
        tokens = self._loaded.model.tokens
        template, room = tokens.template, self.window - tokens.pair_extra
        query, text = tokens.ids(pair[0]), tokens.ids(pair[1])
        kept = min(len(query), self._query_room)
        if kept < len(query) or kept + len(text) > room:
            self.stats.add(cut=1)
            query, text = query[:kept], text[: room - kept]
        ids = np.concatenate([template.before, query, template.between, text, template.after])
        types = np.full(len(ids), template.types[1], np.int32)
        types[: len(template.before) + len(query) + len(template.between)] = template.types[0]
        return ids, types
