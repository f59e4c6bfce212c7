"""Does a backend fit a scorer: the checks and the optional window seam that the scorers share."""

from __future__ import annotations

from ..core.errors import ConfigError
from ..core.protocols import Backend, Capability
from ..core.types import Query, Repair
from .passages import Splitter


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


def query_repairs(backend: Backend, query: Query) -> tuple[Repair, ...]:
    """What of a query does not reach the model: tokens beyond its window, and an instruction it has no place for.

    A backend that cuts queries has ``lengths(texts, kind="query")`` with ``tokens`` and ``kept`` of each.
    """
    found = [Repair("instruction_ignored", detail=query.instruction[:80])] if query.instruction else []
    lengths = getattr(backend, "lengths", None)
    if lengths is not None and Capability.PAIR_SCORES not in backend.capabilities:
        (length,) = lengths([query.text], kind="query")
        if length.kept < length.tokens:
            found.append(Repair("query_cut", detail=f"{length.kept} of {length.tokens} tokens"))
    return tuple(found)
