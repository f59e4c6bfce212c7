"""Texts for rankings that hold only ids, from a collection and a set of queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ..core.errors import MissingDocument
from ..core.protocols import Corpus
from ..core.types import Candidate, Query, Ranking
from .lines import Bad


def with_texts(
    rankings: Iterable[Ranking],
    queries: Mapping[str, Query] | None = None,
    corpus: Corpus | None = None,
    bad: Bad | None = None,
) -> Iterator[Ranking]:
    """The rankings with texts from ``queries`` and ``corpus`` where they know the id; metadata of both is kept.

    Raises MissingDocument for a query or document that has no text here and is not known there (or skips it, by
    ``bad``).
    """
    bad = bad or Bad()
    for ranking in rankings:
        query = ranking.query if queries is None else queries.get(ranking.query.id, ranking.query)
        if queries is not None and not query.text and query.id not in queries:
            bad.error(MissingDocument(f"query {query.id!r} is not among the {len(queries)} queries given"))
            continue
        candidates = (_filled(c, ranking.query.id, corpus, bad) for c in ranking.candidates)
        yield replace(ranking, query=query, candidates=tuple(c for c in candidates if c is not None))


def _filled(candidate: Candidate, query_id: str, corpus: Corpus | None, bad: Bad) -> Candidate | None:
    if corpus is None:
        return candidate
    try:
        document = corpus[candidate.id]
    except MissingDocument as error:
        if candidate.document.text:
            return candidate
        bad.error(MissingDocument(f"query {query_id!r}: {error}"))
        return None
    return replace(candidate, document=replace(document, metadata={**document.metadata, **candidate.document.metadata}))
