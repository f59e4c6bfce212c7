"""Does a backend fit a scorer: the checks and the optional window seam that the scorers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ..core.errors import ConfigError
from ..core.protocols import Backend, Capability
from ..core.types import Length, Query, Repair, Usage
from .passages import Splitter

Kind = Literal["query", "document"]


def fits(scorer: str, backend: Backend, capability: Capability) -> None:
    """Raise ConfigError when the backend lacks what the scorer needs."""
    if capability not in backend.capabilities:
        has = ", ".join(sorted(backend.capabilities)) or "nothing"
        raise ConfigError(f"{scorer} needs the capability {capability}; {type(backend).__name__} has {has}")


def split_for(backend: Backend, query: str) -> Splitter | None:
    """How the backend splits a document that does not fit beside ``query``; ``None`` when it has no window.

    A backend with a limited window has ``split_document(text, query="") -> list of passages``.
    """
    split = getattr(backend, "split_document", None)
    return None if split is None else lambda text: split(text, query=query)


def query_repairs(backend: Backend, queries: Sequence[Query]) -> list[tuple[Repair, ...]]:
    """What of each query does not reach the model: tokens beyond its window, and an instruction it has no place for.

    A backend that cuts queries has ``lengths(texts, kind="query")`` with ``tokens`` and ``kept`` of each.
    """
    cut = cuts(backend, [query.text for query in queries], "query")
    found = []
    for query in queries:
        told = (Repair("instruction_ignored", detail=query.instruction[:80]),) if query.instruction else ()
        short = (Repair("query_cut", detail=cut[query.text]),) if query.text in cut else ()
        found.append((*told, *short))
    return found


def cuts(backend: Backend, texts: Sequence[str], kind: Kind) -> dict[str, str]:
    """The texts that the backend cuts, and how far; each distinct text is counted once."""
    lengths = _lengths(backend, texts, kind)
    return {text: f"{length.kept} of {length.tokens} tokens" for text, length in lengths.items() if length.cut}


def tokens_read(backend: Backend, texts: Sequence[str], kind: Kind) -> dict[str, int]:
    """Tokens that the model reads of each text, where the backend counts them; else 0."""
    lengths = _lengths(backend, texts, kind)
    return {text: lengths[text].kept if text in lengths else 0 for text in texts}


class Spent:
    """Usage by group when equal texts are encoded once: each query and each of its texts counts where it is met first.

    queries, documents: tokens by text. Texts of other queries do not matter, so that what a query costs does not depend
    on what it is batched with.
    """

    def __init__(self, queries: Mapping[str, int], documents: Mapping[str, int]) -> None:
        self._queries, self._documents = queries, documents
        self._met: set[tuple[str, str | None]] = set()

    def on(self, query: Query, texts: Sequence[str]) -> Usage:
        """What the group adds: a call for each of its texts that is new to the query, and their tokens."""
        key = query.id
        new = [text for text in dict.fromkeys(texts) if (key, text) not in self._met]
        asked = 0 if (key, None) in self._met else self._queries.get(query.text, 0)
        self._met.update([(key, None), *((key, text) for text in new)])
        return Usage(calls=len(new), prompt_tokens=asked + sum(self._documents.get(text, 0) for text in new))


def _lengths(backend: Backend, texts: Sequence[str], kind: Kind) -> dict[str, Length]:
    lengths = getattr(backend, "lengths", None)
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, lengths(distinct, kind=kind), strict=True)) if lengths and distinct else {}
