"""An encoder whose document states come from the cache when they are there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path

from shortlist.core.protocols import Capability
from shortlist.core.types import Length

from ...core.places import cache_folder
from .encoder import Encoder, Kind, States
from .state_cache import StateCache, pack, unpack

_CHUNK = 256  # passages encoded between two writes: what a killed job loses at most
_SPLITS = 50_000  # documents whose borders are remembered: 200 bytes each, and 130 for every further passage


@dataclass
class CachedEncoder:
    """``encoder`` with its documents' states kept in ``folder``; queries are encoded each time.

    folder: where the file is, by default the user's cache folder. limit_mb: its size, above which the oldest go.
    New states pass through the cache's rounding too, so that a first and a repeated search give the same numbers.
    Where a document was split is remembered in memory: finding it out again would take as long as the rest of a
    repeated search.
    """

    encoder: Encoder = field(default_factory=Encoder)
    folder: str | Path | None = None
    _: KW_ONLY
    limit_mb: int = 2048
    _borders: dict[bytes, list[tuple[int, int]]] = field(init=False, repr=False, compare=False, default_factory=dict)

    @cached_property
    def cache(self) -> StateCache:
        """The file behind it, with its counters."""
        return StateCache(Path(self.folder or cache_folder()) / "states.sqlite", limit_mb=self.limit_mb)

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.TOKEN_STATES})

    @property
    def digest(self) -> str:
        """The encoder's digest, marked, because the rounding changes the numbers a little."""
        return f"{self.encoder.digest}-int8"

    def split_document(self, text: str, *, query: str = "") -> list[str]:
        """As ``Encoder.split_document``."""
        name = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        borders = self._borders.get(name)
        if borders is None:
            borders = [(passage.start, passage.end) for passage in self.encoder.split(text)]
            if len(self._borders) >= _SPLITS:
                self._borders = {}  # not one by one: other threads may be reading
            self._borders[name] = borders
        return [text[start:end] for start, end in borders]

    def lengths(self, texts: Sequence[str], *, kind: Kind = "document") -> list[Length]:
        """As ``Encoder.lengths``."""
        return self.encoder.lengths(texts, kind=kind)

    def token_states(self, texts: Sequence[str], *, kind: Kind = "document") -> list[States]:
        """As ``Encoder.token_states``; each distinct document is encoded at most once."""
        if kind == "query":
            return self.encoder.token_states(texts, kind=kind)
        distinct = list(dict.fromkeys(texts))
        found = self.cache.get(self.encoder.digest, distinct)
        known = {text: states for text, states in zip(distinct, found, strict=True) if states is not None}
        missing = [text for text in distinct if text not in known]
        for start in range(0, len(missing), _CHUNK):
            chunk = missing[start : start + _CHUNK]
            packed = [(pack(states), len(states)) for states in self.encoder.token_states(chunk)]
            self.cache.put(self.encoder.digest, chunk, packed)
            known.update((text, unpack(*entry)) for text, entry in zip(chunk, packed, strict=True))
        return [known[text] for text in texts]
