"""Late interaction over token states: cosine of the mean + MaxSim + a little of the first stage, each scaled over the
list.

MaxSim: Khattab and Zaharia 2020, arXiv 2004.12832 (ColBERT), equation 3. The sum with the cosine and the first-stage
score is this package's own: without training it beats either part (benchmarks/results). Because every part is min-max
scaled over the candidate list, scores compare documents of one list only: scale ``RELATIVE``, no threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.protocols import Capability, Comparable, ScoredGroup, TokenStateBackend
from ..core.types import Call, Scale, Usage
from ._fit import fits, split_for
from .passages import Aggregate, aggregate, split_all, split_repair


@dataclass(frozen=True)
class LateInteraction:
    """Scores a whole candidate list; passages are encoded alone, so that a backend can cache their states.

    first_stage: weight of the min-max scaled first-stage score; left out of lists in which a document has none.
    aggregate: how the passages of one long document become its cosine and its MaxSim.
    """

    backend: TokenStateBackend
    first_stage: float = 0.2
    aggregate: Aggregate = "max"

    def __post_init__(self) -> None:
        fits("LateInteraction", self.backend, Capability.TOKEN_STATES)

    @property
    def comparable(self) -> Comparable:
        return "within"

    @property
    def max_group(self) -> int | None:
        return None

    @property
    def scale(self) -> Scale:
        return Scale.RELATIVE

    def score(self, groups: Sequence[ScoredGroup]) -> Sequence[Call]:
        queries = list(dict.fromkeys(query.text for query, _ in groups))
        texts = [c.document.full_text for _, candidates in groups for c in candidates]
        passages, counts = split_all(texts, split_for(self.backend, ""))
        distinct = list(dict.fromkeys(passages))
        query_states = dict(zip(queries, self.backend.token_states(queries, kind="query"), strict=True))
        states = (
            dict(zip(distinct, self.backend.token_states(distinct, kind="document"), strict=True)) if distinct else {}
        )
        calls, document, passage = [], 0, 0
        for query, candidates in groups:
            sizes = counts[document : document + len(candidates)]
            shown = [states[text] for text in passages[passage : passage + sum(sizes)]]
            scores = self._list_scores(query_states[query.text], shown, sizes, [_first_score(c) for c in candidates])
            repairs = tuple(r for size in sizes for r in split_repair(size))
            calls.append(Call(tuple(c.id for c in candidates), scores, "", repairs, Usage(calls=1)))
            document, passage = document + len(candidates), passage + sum(sizes)
        return calls

    def _list_scores(
        self, query: Any, passages: Sequence[Any], sizes: Sequence[int], first: Sequence[float | None]
    ) -> tuple[float, ...]:
        if not sizes:
            return ()
        cosine, maxsim = similarities(query, passages)
        total = minmax(aggregate(cosine.tolist(), sizes, self.aggregate))
        total = total + minmax(aggregate(maxsim.tolist(), sizes, self.aggregate))
        known = [score for score in first if score is not None]
        if len(known) == len(first):
            total = total + self.first_stage * minmax(known)
        return tuple(float(score) for score in total)


def similarities(query: Any, passages: Sequence[Any]) -> tuple[Any, Any]:
    """Cosine of the mean-pooled states, and MaxSim over unit token states, of one query with each passage.

    query: (tokens, dim) float32. passages: one (tokens_i, dim) each, at least one token. Returns two (len(passages),)
    arrays; MaxSim is the mean over query tokens of the best cosine.
    """
    lengths = np.array([len(p) for p in passages])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    tokens = np.concatenate([np.asarray(p, dtype=np.float32) for p in passages])
    pooled = np.add.reduceat(tokens, starts, axis=0) / lengths[:, None]
    cosine = _unit(pooled) @ _unit(np.asarray(query, dtype=np.float32).mean(axis=0))
    alike = _unit(tokens) @ _unit(np.asarray(query, dtype=np.float32)).T
    return cosine, np.maximum.reduceat(alike, starts, axis=0).mean(axis=1)


def minmax(scores: Sequence[float]) -> Any:
    """Scores scaled to [0, 1] over the list; a constant list becomes zeros, so that it moves nothing.

    >>> minmax([1.0, 3.0, 2.0]).tolist()
    [0.0, 1.0, 0.5]
    """
    values = np.asarray(scores, dtype=np.float64)
    spread = values.max() - values.min()
    return np.zeros_like(values) if spread == 0 else (values - values.min()) / spread


def _unit(rows: Any) -> Any:
    norm = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.maximum(norm, 1e-12)


def _first_score(candidate: Any) -> float | None:
    score: float | None = candidate.score if candidate.first_score is None else candidate.first_score
    return score
