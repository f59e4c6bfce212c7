"""A run, query by query, looked up in the judgements: what is left of each ranking is what measures need.

A dict of scores is ordered as trec_eval orders a run file. A Ranking's position is its rank: that is what the run
writer makes of it too. This module does not compute measures and does not read files.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..core.errors import InputError, RankingError, ScoreError
from ..core.types import Ranking, Status
from ..measures import Graded, grade, tie_groups, trec_order
from .judgements import Judgements


@dataclass(frozen=True, slots=True)
class Seen:
    """One query of a run.

    graded: None when nobody judged this query. ties: half-open ranges of positions with equal scores.
    ids: documents, best first; empty unless they were asked for.
    """

    query_id: str
    graded: Graded | None
    ties: Sequence[tuple[int, int]] = ()
    status: Status = "ranked"
    ids: tuple[str, ...] = ()


def seen_scores(run: Mapping[str, Mapping[str, float]], judged: Judgements, *, keep_ids: bool) -> Iterator[Seen]:
    """From query -> document -> score. Raises ScoreError for a score that is not a number."""
    for query_id, scored in run.items():
        if query_id not in judged.grades:
            yield Seen(query_id, None)
            continue
        try:
            ids, ties = trec_order(list(scored), list(scored.values()))
        except (ScoreError, RankingError) as error:
            raise type(error)(f"query {query_id!r}, {error}") from error
        graded = grade(ids, judged.grades[query_id], judged.pools[query_id])
        yield Seen(query_id, graded, ties, ids=tuple(ids) if keep_ids else ())


def seen_rankings(rankings: Iterable[Ranking], judged: Judgements, *, keep_ids: bool) -> Iterator[Seen]:
    """From Rankings, in their own order. Raises InputError for a query that comes twice."""
    known: set[str] = set()
    for ranking in rankings:
        query_id = ranking.query.id
        if query_id in known:
            raise InputError(f"query {query_id!r} comes twice in the run; a run holds one ranking per query")
        known.add(query_id)
        if query_id not in judged.grades:
            yield Seen(query_id, None)
            continue
        ids = ranking.ids
        graded = grade(ids, judged.grades[query_id], judged.pools[query_id])
        yield Seen(query_id, graded, _ties(ranking), ranking.status, ids if keep_ids else ())


def _ties(ranking: Ranking) -> Sequence[tuple[int, int]]:
    """Neighbours with equal scores; documents without a score have none to be equal."""
    scores = [c.score for c in ranking.candidates]
    scored = next((i for i, s in enumerate(scores) if s is None), len(scores))
    return tie_groups(array("f", [s for s in scores[:scored] if s is not None]))
