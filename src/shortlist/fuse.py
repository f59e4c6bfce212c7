"""Several rankings of one query into one: by rank (RRF, Borda) or by normalised score (CombSUM and kin, interpolation).

Sources: Cormack et al. 2009, SIGIR (RRF); Fox and Shaw 1994, TREC-2 (CombSUM, MNZ, ANZ, MED); Aslam and Montague 2001,
SIGIR (Borda for partial lists). Rankings may hold different documents; the result holds them all.

What a ranking says of a document that it does not hold, or holds without a score (MISSING), is fixed per method:
nothing in RRF, CombMNZ, CombANZ and CombMED; the mean of the places that it left free in Borda; its lowest normalised
score in CombSUM and interpolation. Ties keep the order of the first ranking, then that of the next for new documents.

A ranking with status ``unscored`` adds its documents but no opinion, and makes the result ``partial``. Of documents
with equal ids the first ranking's is kept, first-stage score and rank included; this module does not compare their
texts.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

from .core.errors import ConfigError, RankingError, ScoreError
from .core.types import MISSING, Call, Candidate, Ranking, Scale, Status

Normalisation = Literal["none", "min-max", "z", "rank", "sum"]
"""none: as they are. min-max: to [0, 1]. z: mean 0, deviation 1. rank: n/n, (n-1)/n, ..., 1/n by position.
sum: lowest to 0, then to a total of 1."""
Votes = Mapping[str, float]
"""What one ranking says: document id -> score, for the documents that it scored."""


def rrf(rankings: Sequence[Ranking], *, k: int = 60, weights: Sequence[float] | None = None) -> Ranking:
    """Reciprocal rank fusion: the sum of weight / (k + rank), rank from 1. Scale RELATIVE.

    k: 60 in the paper; larger values make the head of a list count less.

    >>> from shortlist.core.types import Candidate, Document, Query
    >>> def ranking(*ids):
    ...     return Ranking(Query("q", ""), tuple(Candidate(Document(i, "")) for i in ids))
    >>> rrf([ranking("a", "b", "c"), ranking("c", "a")]).ids
    ('a', 'c', 'b')
    """
    if k < 0:
        raise ConfigError(f"rrf: k must be 0 or more, got {k}; the paper's value is 60")
    shares = _weights(rankings, weights)
    lists = [{c.id: 1.0 / (k + rank) for rank, c in enumerate(_heard(r), 1)} for r in rankings]
    totals = {i: sum(w * votes.get(i, 0.0) for w, votes in zip(shares, lists, strict=True)) for i in _ids(rankings)}
    return _merged(rankings, totals, Scale.RELATIVE)


def borda(rankings: Sequence[Ranking], *, weights: Sequence[float] | None = None) -> Ranking:
    """Borda count over all N documents: N points for the first, N - 1 for the second ...; scale POINTS.

    Documents that a ranking does not score share its remaining points evenly.
    """
    shares = _weights(rankings, weights)
    ids = _ids(rankings)
    totals = dict.fromkeys(ids, 0.0)
    for weight, ranking in zip(shares, rankings, strict=True):
        votes = {c.id: float(len(ids) - place) for place, c in enumerate(_heard(ranking))}
        for i in ids:
            totals[i] += weight * votes.get(i, (len(ids) - len(votes) + 1) / 2)
    return _merged(rankings, totals, Scale.POINTS)


def comb_sum(
    rankings: Sequence[Ranking], *, normalise: Normalisation = "min-max", weights: Sequence[float] | None = None
) -> Ranking:
    """CombSUM: the (weighted) sum of normalised scores. An absent document gets the list's lowest. Scale RELATIVE."""
    shares = _weights(rankings, weights)
    lists = _votes(rankings, normalise)
    floors = [0.0 if normalise in ("min-max", "rank", "sum") else min(v.values(), default=0.0) for v in lists]
    totals = {
        i: sum(w * votes.get(i, floor) for w, votes, floor in zip(shares, lists, floors, strict=True))
        for i in _ids(rankings)
    }
    return _merged(rankings, totals, Scale.RELATIVE)


def interpolate(
    rankings: Sequence[Ranking], weights: Sequence[float], *, normalise: Normalisation = "min-max"
) -> Ranking:
    """Linear interpolation: CombSUM with one weight per ranking, for example 0.1 BM25 + 0.9 reranker."""
    return comb_sum(rankings, normalise=normalise, weights=weights)


def comb_mnz(rankings: Sequence[Ranking], *, normalise: Normalisation = "min-max") -> Ranking:
    """CombMNZ: the sum times the number of rankings that scored the document. Scale RELATIVE.

    Raises ConfigError for negative normalised scores: being found more often would then lower a document.
    """
    given = _given(rankings, normalise)
    if any(s < 0 for scores in given.values() for s in scores):
        raise ConfigError(f"comb_mnz: normalise={normalise!r} leaves negative scores; use 'min-max', 'rank' or 'sum'")
    return _merged(rankings, {i: sum(scores) * len(scores) for i, scores in given.items()}, Scale.RELATIVE)


def comb_anz(rankings: Sequence[Ranking], *, normalise: Normalisation = "min-max") -> Ranking:
    """CombANZ: the mean over the rankings that scored the document. Scale RELATIVE."""
    given = _given(rankings, normalise)
    return _merged(rankings, {i: statistics.fmean(s) if s else MISSING for i, s in given.items()}, Scale.RELATIVE)


def comb_med(rankings: Sequence[Ranking], *, normalise: Normalisation = "min-max") -> Ranking:
    """CombMED: the median over the rankings that scored the document. Scale RELATIVE."""
    given = _given(rankings, normalise)
    return _merged(rankings, {i: statistics.median(s) if s else MISSING for i, s in given.items()}, Scale.RELATIVE)


def normalised(scores: Sequence[float], how: Normalisation) -> list[float]:
    """``scores`` of one ranking, best first, brought to a common range.

    A list of equal scores: all 1 with min-max, all 0 with z, equal shares with sum.

    >>> normalised([3.0, 2.0, 1.0], "min-max")
    [1.0, 0.5, 0.0]
    """
    n = len(scores)
    if how not in get_args(Normalisation):
        raise ConfigError(f"no normalisation named {how!r}; known: {', '.join(get_args(Normalisation))}")
    if how == "rank":
        return [(n - place) / n for place in range(n)]
    if how == "none" or not n:
        return list(scores)
    low, high = min(scores), max(scores)
    if how == "z":
        mean, deviation = statistics.fmean(scores), statistics.pstdev(scores)
        return [(s - mean) / deviation for s in scores] if low < high else [0.0] * n
    if low == high:
        return [1.0 if how == "min-max" else 1 / n] * n
    whole = high - low if how == "min-max" else math.fsum(s - low for s in scores)
    return [(s - low) / whole for s in scores]


def _heard(ranking: Ranking) -> list[Candidate]:
    """The candidates that a ranking has an opinion on, best first."""
    return [] if ranking.status == "unscored" else [c for c in ranking.candidates if c.score != MISSING]


def _votes(rankings: Sequence[Ranking], how: Normalisation) -> list[Votes]:
    lists: list[Votes] = []
    for number, ranking in enumerate(rankings, 1):
        heard = _heard(ranking)
        scores = []
        for place, candidate in enumerate(heard):
            score = float(len(heard) - place) if how == "rank" else candidate.score
            if score is None or not math.isfinite(score):
                raise ScoreError(
                    f"ranking {number} of query {ranking.query.id!r}: document {candidate.id!r} has the score {score}; "
                    "fuse by rank instead (rrf, borda, or normalise='rank')"
                )
            scores.append(score)
        lists.append(dict(zip((c.id for c in heard), normalised(scores, how), strict=True)))
    return lists


def _given(rankings: Sequence[Ranking], how: Normalisation) -> dict[str, list[float]]:
    """Per document the normalised scores of the rankings that scored it."""
    lists = _votes(rankings, how)
    return {i: [votes[i] for votes in lists if i in votes] for i in _ids(rankings)}


def _ids(rankings: Sequence[Ranking]) -> list[str]:
    return list(dict.fromkeys(i for ranking in rankings for i in ranking.ids))


def _weights(rankings: Sequence[Ranking], weights: Sequence[float] | None) -> Sequence[float]:
    if weights is None:
        return [1.0] * len(rankings)
    if len(weights) != len(rankings):
        raise ConfigError(f"{len(weights)} weights for {len(rankings)} rankings; give one each")
    if not all(math.isfinite(w) and w >= 0 for w in weights) or not any(weights):
        raise ConfigError(f"weights must be finite, not negative and not all 0, got {tuple(weights)}")
    return weights


def _merged(rankings: Sequence[Ranking], totals: Votes, scale: Scale) -> Ranking:
    if not rankings:
        raise ConfigError("nothing to fuse: give at least one ranking")
    query_ids = list(dict.fromkeys(r.query.id for r in rankings))
    if len(query_ids) > 1:
        raise RankingError(f"cannot fuse rankings of different queries: {query_ids[:5]}")
    kept: dict[str, Candidate] = {}
    for ranking in rankings:
        for candidate in ranking.candidates:
            kept.setdefault(candidate.id, candidate)
    status, reason = _status(rankings)
    if status == "unscored":
        candidates, scale = tuple(replace(c, score=None) for c in kept.values()), Scale.UNKNOWN
    else:
        best_first = sorted(kept.values(), key=lambda c: -totals[c.id])
        candidates = tuple(replace(c, score=totals[c.id]) for c in best_first)
    return Ranking(rankings[0].query, candidates, status, scale, reason, _trace(rankings))


def _status(rankings: Sequence[Ranking]) -> tuple[Status, str]:
    statuses = [r.status for r in rankings]
    incomplete = [r for r in rankings if r.status in ("unscored", "partial")]
    if incomplete:
        reasons = "; ".join(dict.fromkeys(r.reason or r.status for r in incomplete))
        reason = f"{len(incomplete)} of {len(rankings)} fused rankings incomplete: {reasons}"
        return "unscored" if set(statuses) == {"unscored"} else "partial", reason
    return "ranked" if "ranked" in statuses else "retrieved", ""


def _trace(rankings: Sequence[Ranking]) -> tuple[Call, ...]:
    """All calls, those that several rankings share (a common prefix of two pipelines) once."""
    return tuple({id(call): call for ranking in rankings for call in ranking.trace}.values())
