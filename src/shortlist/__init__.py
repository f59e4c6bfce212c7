"""Neural re-ranking for search and RAG: the right few on top, and how sure one can be of it.

This module is a lazy facade: ``import shortlist`` loads no model library, and a name is imported when it is first used.

>>> import shortlist
>>> "late-interaction" in shortlist.available()
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .core.registry import RERANKERS, RETRIEVERS
from .core.types import Candidate, Document, Query, Ranking, Scale

if TYPE_CHECKING:
    from .pipeline import Stage

__version__ = "0.1.0"
__all__ = ["Candidate", "Document", "Query", "Ranking", "Scale", "available", "load", "retriever"]


def load(name: str, **params: Any) -> Stage:
    """Build a reranker by its registry name, for example ``load("late-interaction")``.

    Raises UnknownName (with the nearest name) or ConfigError (with the parameters it takes).
    """
    return RERANKERS.load(name, **params)  # type: ignore[no-any-return]


def retriever(name: str, **params: Any) -> Stage:
    """Build a first stage by its registry name, for example ``retriever("bm25", documents=...)``."""
    return RETRIEVERS.load(name, **params)  # type: ignore[no-any-return]


def available() -> list[str]:
    """Names of all rerankers; imports none of them."""
    return RERANKERS.names()
