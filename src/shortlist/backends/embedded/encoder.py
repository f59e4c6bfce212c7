"""A bi-encoder on the CPU: token states and pooled vectors, without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shortlist.core.protocols import Capability
from shortlist.core.types import Length

from ..kinds import expect
from ..similarity import unit_rows
from .batches import Encoded, Stats
from .choice import AnyPrecision, AnyRuntime, Choice
from .folder import DEFAULT
from .loaded import LoadedModel
from .tokens import Passage

Kind = Literal["query", "document"]
States = NDArray[np.float32]


@dataclass
class Encoder:
    """Encodes texts with the shipped model, or with a Hugging Face encoder folder.

    path: the shipped name, a folder, an ``.onnx`` file or a hub name. precision: ``auto`` takes the fastest that this
    CPU computes well. threads: texts encoded side by side, by default the cores this process may use. max_length:
    window in tokens, special tokens included, by default the model's own (256 for the shipped one). batch_tokens: most
    tokens of one batch. query_prefix, document_prefix: put before each text; by default what the folder's
    sentence-transformers settings say.

    The weights are read on first use. Texts longer than the window are cut there and counted (``stats.cut``);
    ``lengths`` tells which, ``split`` makes passages that fit.

    >>> encoder = Encoder(precision="fp32")
    >>> rows = encoder.embed(["How long do fleas live?", "A flea lives a hundred days.", "Concrete floors are cheap."])
    >>> bool(rows[0] @ rows[1] > rows[0] @ rows[2])
    True
    """

    path: str | Path = DEFAULT
    _: KW_ONLY
    runtime: AnyRuntime = "auto"
    precision: AnyPrecision = "auto"
    threads: int | None = None
    max_length: int | None = None
    batch_tokens: int = 4096
    query_prefix: str | None = None
    document_prefix: str | None = None

    @cached_property
    def _loaded(self) -> LoadedModel:
        expect(self.path, "encoder")
        return LoadedModel(
            self.path, self.runtime, self.precision, self.threads, self.max_length, self.batch_tokens, "states"
        )

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.EMBED, Capability.TOKEN_STATES})

    @property
    def choice(self) -> Choice:
        """Runtime and precision in use, and why."""
        return self._loaded.choice

    @property
    def stats(self) -> Stats:
        """Texts, tokens, padding and cuts so far."""
        return self._loaded.stats

    @property
    def window(self) -> int:
        """Tokens that are read of one text, special tokens included."""
        return self._loaded.window

    @cached_property
    def digest(self) -> str:
        """Identifies the numbers: weights, tokenizer, precision, runtime, window, prefixes."""
        parts = (self._loaded.digest, self._prefix("query"), self._prefix("document"))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def token_states(self, texts: Sequence[str], *, kind: Kind = "document") -> list[States]:
        """Per text an array (tokens, dim) of float32, special tokens included, not normalised."""
        return self._loaded.run(self._encode(texts, kind), lambda row, length: row[:length])

    def embed(self, texts: Sequence[str], *, kind: Kind = "document") -> States:
        """One unit row per text, (texts, dim) float32; pooled as the model was trained (mean for the shipped one)."""
        pool = _first if self._loaded.model.pooling == "cls" else _mean
        rows = self._loaded.run(self._encode(texts, kind), pool)
        if not rows:
            return np.zeros((0, self._loaded.model.architecture.hidden), np.float32)
        return unit_rows(np.stack(rows))

    def lengths(self, texts: Sequence[str], *, kind: Kind = "document") -> list[Length]:
        """Tokens of each text and how many fit the window; tokenises, does not encode."""
        tokens, prefix = self._loaded.model.tokens, self._prefix(kind)
        counts = [len(tokens.ids(prefix + text)) + tokens.single_extra for text in texts]
        return [Length(count, min(count, self.window)) for count in counts]

    def split(self, text: str, *, overlap: int = 32) -> list[Passage]:
        """Passages of ``text`` that fit the window, cut at word borders, neighbours sharing ``overlap`` tokens.

        >>> text = "one two three four five six seven eight nine ten eleven"
        >>> [text[p.start : p.end] for p in Encoder(max_length=10).split(text, overlap=2)]
        ['one two three four five six seven eight', 'seven eight nine ten eleven']
        """
        tokens = self._loaded.model.tokens
        taken = tokens.single_extra + len(tokens.ids(self._prefix("document")))
        room = self.window - taken
        return tokens.split(text, room, min(overlap, room - 1))

    def split_document(self, text: str, *, query: str = "") -> list[str]:
        """The passages of ``split`` as texts; ``query`` takes no room, because texts are encoded alone."""
        return [text[passage.start : passage.end] for passage in self.split(text)]

    def _prefix(self, kind: Kind) -> str:
        given = self.query_prefix if kind == "query" else self.document_prefix
        return self._loaded.model.prompts[kind] if given is None else given

    def _encode(self, texts: Sequence[str], kind: Kind) -> list[Encoded]:
        tokens, prefix = self._loaded.model.tokens, self._prefix(kind)
        template, room = tokens.template, self.window - tokens.single_extra
        encoded: list[Encoded] = []
        for text in texts:
            ids = tokens.ids(prefix + text)
            if len(ids) > room:
                self.stats.add(cut=1)
            whole = np.concatenate([template.before, ids[:room], template.single_after])
            encoded.append((whole, np.full(len(whole), template.types[0], np.int32)))
        return encoded


def _mean(row: States, length: int) -> States:
    pooled: States = row[:length].mean(axis=0)
    return pooled


def _first(row: States, length: int) -> States:
    pooled: States = row[0].copy()
    return pooled
