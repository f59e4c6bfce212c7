"""Stages as values with operators: ``>>`` (then), ``% k`` (keep the first k), ``+`` (fuse); ``top`` reranks a head.

A stage turns rankings into rankings: a retriever ignores the candidates it is given and finds its own, a reranker
orders the ones it is given. So a pipeline is a stage too, and everything is called the same way, on queries or on
rankings:

    (bm25 % 100 >> load("cross-encoder") % 10)(["what is a reranker?"])

``a % 10 >> b`` drops all but ten documents; ``a >> top(10, b)`` keeps them below the ten that ``b`` has ordered.

In a fusion, equal prefixes of the branches run once. The idea of pipelines as values is PyTerrier's (Macdonald and
Tonellotto 2020, ICTIR). This module knows roles, not models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from . import fuse
from .core.errors import ConfigError, InputError, RankingError
from .core.protocols import Reranker, Retriever
from .core.types import Query, Ranking

DEFAULT_DEPTH = 1000  # what a retriever without a cutoff returns: TREC's depth

Inputs = str | Query | Ranking | Mapping[str, str | Query] | Iterable[str | Query | Ranking]


def as_rankings(inputs: Inputs) -> list[Ranking]:
    """Queries, query texts, a mapping of ids to either, or rankings, as a list of rankings.

    >>> [r.query.id for r in as_rankings(["first", "second"])]
    ['q1', 'q2']
    """
    if isinstance(inputs, Mapping):
        listed: list[str | Query | Ranking] = [Query(i, q) if isinstance(q, str) else q for i, q in inputs.items()]
    else:
        listed = [inputs] if isinstance(inputs, (str, Query, Ranking)) else list(inputs)
    rankings = [_as_ranking(item, number) for number, item in enumerate(listed, 1)]
    ids = [r.query.id for r in rankings]
    if len(set(ids)) != len(ids):
        twice = sorted({i for i in ids if ids.count(i) > 1})
        raise InputError(f"query ids must be unique in one call; given twice: {twice[:5]}")
    return rankings


def _as_ranking(item: str | Query | Ranking, number: int) -> Ranking:
    if isinstance(item, Ranking):
        return item
    if isinstance(item, Query):
        return Ranking(item)
    if isinstance(item, str):
        return Ranking(Query(f"q{number}", item))
    raise InputError(f"input {number} is a {type(item).__name__}; expected a query text, a Query or a Ranking")


class Stage:
    """Gives operators and call to anything that retrieves or reranks."""

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        """Rankings in, rankings out, same queries in the same order; at most ``k`` candidates each."""
        if isinstance(self, Retriever):
            return self.retrieve([r.query for r in rankings], k=DEFAULT_DEPTH if k is None else k)
        if isinstance(self, Reranker):
            return self.rerank(rankings, k=k)
        raise ConfigError(f"{type(self).__name__} neither retrieves nor reranks")

    def __call__(self, inputs: Inputs) -> list[Ranking]:
        return self.apply(as_rankings(inputs))

    def __rshift__(self, other: Stage) -> Then:
        return Then((*steps(self), *steps(other)))

    def __mod__(self, k: int) -> Cutoff:
        return Cutoff(self, k)

    def __add__(self, other: Stage) -> Fused:
        return Fused((*_branches(self), *_branches(other)))


@dataclass(frozen=True)
class Then(Stage):
    """Stages one after the other.

    A query that a stage leaves ``unscored`` is done: later stages do not see it, so a failure in the middle is not
    covered by what comes after it.
    """

    stages: tuple[Stage, ...]

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        done = list(rankings)
        for number, stage in enumerate(self.stages):
            going = [i for i, ranking in enumerate(done) if not number or ranking.status != "unscored"]
            cutoff = k if number == len(self.stages) - 1 else None
            results = stage.apply([done[i] for i in going], cutoff) if going or not number else []
            for i, result in zip(going, results, strict=True):
                done[i] = result
        return [ranking.top(k) for ranking in done]

    def rerank(self, rankings: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]:
        """``apply`` under the name that rerankers have: a cascade is one too."""
        return self.apply(rankings, k)


@dataclass(frozen=True)
class Cutoff(Stage):
    """The first ``k`` candidates of what a stage returns; a retriever is asked for no more than these."""

    stage: Stage
    k: int

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 0:
            raise ConfigError(f"a cutoff is a whole number from 0 up, got {self.k!r}: write `stage % 100`")

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        k = self.k if k is None else min(k, self.k)
        return [ranking.top(k) for ranking in self.stage.apply(rankings, k)]


@dataclass(frozen=True)
class Head(Stage):
    """``stage`` on the first ``k`` candidates of each ranking; the others stay below them, in the order they had.

    The new scores are rank-derived (scale ``RANK``), since the scores of the head and those below it do not mix. A
    document that the stage leaves out comes next, so none is lost. A query that the stage leaves ``unscored`` keeps the
    order, scores and scale it came with, and is unscored.
    """

    stage: Stage
    k: int

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1:
            raise ConfigError(f"the head of a list is a whole number of documents from 1 up, got {self.k!r}")

    def rerank(self, rankings: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]:
        """New rankings, same order of queries; ``k`` keeps a prefix of each."""
        done = self.stage.apply([ranking.top(self.k) for ranking in rankings])
        return [_rejoined(*pair).top(k) for pair in zip(rankings, done, strict=True)]


def top(k: int, stage: Stage) -> Head:
    """``stage`` for the first ``k`` candidates only, the rest kept below: ``bm25 >> scorer >> top(30, judge)``."""
    return Head(stage, k)


def _rejoined(before: Ranking, head: Ranking) -> Ranking:
    if head.status == "unscored":
        return replace(before, status="unscored", reason=head.reason, trace=head.trace)
    position = {doc_id: i for i, doc_id in enumerate(before.ids)}
    unknown = [doc_id for doc_id in head.ids if doc_id not in position]
    if unknown:
        raise RankingError(f"query {before.query.id!r}: a stage in top() added {unknown[:5]}; it may only reorder")
    first = [position[doc_id] for doc_id in head.ids]
    rest = sorted(set(position.values()) - set(first))
    joined = before.reorder([*first, *rest], status=head.status, reason=head.reason)
    return replace(joined, trace=head.trace)


@dataclass(frozen=True)
class Fused(Stage):
    """Reciprocal rank fusion of several branches over the same input (Cormack et al. 2009, SIGIR; k = 60)."""

    branches: tuple[Stage, ...]

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        done: list[tuple[tuple[Stage, ...], list[Ranking]]] = [((), list(rankings))]
        results = [self._run(steps(branch), done) for branch in self.branches]
        return [fuse.rrf(same_query).top(k) for same_query in zip(*results, strict=True)]

    @staticmethod
    def _run(chain: tuple[Stage, ...], done: list[tuple[tuple[Stage, ...], list[Ranking]]]) -> list[Ranking]:
        prefix, result = max((d for d in done if chain[: len(d[0])] == d[0]), key=lambda d: len(d[0]))
        for position in range(len(prefix), len(chain)):
            result = chain[position].apply(result)
            done.append((chain[: position + 1], result))
        return result


def steps(stage: Stage) -> tuple[Stage, ...]:
    """The chain of a stage: what ``>>`` strung together, or the stage alone."""
    return stage.stages if isinstance(stage, Then) else (stage,)


def _branches(stage: Stage) -> tuple[Stage, ...]:
    return stage.branches if isinstance(stage, Fused) else (stage,)
