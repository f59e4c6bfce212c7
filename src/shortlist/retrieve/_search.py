"""Search: an index brought up to date, candidates by BM25, a reranker over them, and where the time went."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any, cast

from ..core.errors import BackendError, ConfigError, ShortlistError, UnknownName
from ..core.protocols import Reranker
from ..core.registry import RERANKERS
from ..core.types import Query, Ranking
from ..data.ingest import by_document
from ..data.ingest.aggregate import Aggregate
from ..drive import innermost
from ._index import DamagedIndex, Index, Progress
from .bm25 import ENGLISH

logger = logging.getLogger(__name__)

DEFAULT_RERANKER = "late-interaction"
AUTO = "auto"
STATES = "states"  # of the default reranker, beside the index: a passage is encoded once


@dataclass(frozen=True)
class Found:
    """The answer to one query. first: what BM25 found. seconds: first_stage, encode (the model), rerank (all of
    reranking), total.

    explained: for each candidate of ``first``, the query's terms and what each adds to the BM25 score.
    """

    ranking: Ranking
    first: Ranking
    seconds: Mapping[str, float]
    explained: tuple[Mapping[str, float], ...] = ()


@dataclass
class Searcher:
    """Answers queries over one path. Made by ``Searcher.open``.

    method: the reranker's name, None for the first stage only. depth: candidates that are reranked. top_k: how many
    are kept. aggregate: "none" ranks passages, else documents. seconds: what opening took, ``index`` and ``load`` (of
    the reranker's model).
    """

    index: Index
    reranker: Reranker | None
    depth: int = 100
    top_k: int = 10
    aggregate: Aggregate | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    _reopen: Callable[[], Index] | None = field(default=None, repr=False)
    _clock: _Clock | None = field(default=None, repr=False)
    method: str | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        reranker: str | None = AUTO,
        params: Mapping[str, Any] | None = None,
        depth: int = 100,
        top_k: int = 10,
        aggregate: Aggregate | None = None,
        progress: Callable[[Progress], None] | None = None,
        **index: Any,
    ) -> Searcher:
        """Bring the index up to date and load the reranker. index: parameters of ``Index.open``.

        reranker: ``auto`` is the built-in one where the index is English, and none elsewhere: it knows no other
        language and would make the order worse.

        Raises ConfigError for depth or top_k below 1, InputError when there is nothing to search, BackendError when
        the reranker cannot be loaded.
        """
        for name, value in (("depth", depth), ("top_k", top_k)):
            if value < 1:
                raise ConfigError(f"{name}={value}: expected 1 or more")
        seconds: dict[str, float] = {}
        with _timing(seconds, "index"):
            opened = Index.open(path, progress=progress, **index)
        if reranker == AUTO:
            reranker = DEFAULT_RERANKER if opened.retriever.language in ENGLISH else None
        clock = _Clock()
        stage: Any = None
        with _timing(seconds, "load"):
            if reranker is not None:
                stage = _load(reranker, dict(params or {}), opened.folder, clock)

        def reopen() -> Index:
            return Index.open(path, progress=progress, **{**index, "afresh": True})

        return cls(opened, stage, depth, top_k, aggregate, seconds, reopen, clock, reranker)

    def search(self, query: Query, *, explain: bool = False) -> Found:
        """The best candidates of one query. A damaged index is built again once."""
        seconds: dict[str, float] = {}
        with _timing(seconds, "total"):
            with _timing(seconds, "first_stage"):
                first = self._first(query)
            ranking = first
            if self.reranker is not None:
                before = self._clock.seconds if self._clock else 0.0
                with _timing(seconds, "rerank"):
                    ranking = self.reranker.rerank([first])[0]
                seconds["encode"] = (self._clock.seconds if self._clock else 0.0) - before
            if self.aggregate is not None:
                ranking = by_document(ranking, self.aggregate)
        explained = tuple(self.index.retriever.explain(query, k=self.depth)) if explain else ()
        return Found(ranking.top(self.top_k), first, seconds, explained)

    def _first(self, query: Query) -> Ranking:
        try:
            return self.index.retriever.retrieve([query], k=self.depth)[0]
        except DamagedIndex as error:
            if self._reopen is None:
                raise
            self.index = self._reopen()
            report = self.index.report
            self.index = replace(
                self.index, report=replace(report, notes=(f"{error}; the index was built again", *report.notes))
            )
            return self.index.retriever.retrieve([query], k=self.depth)[0]


def _load(name: str, params: dict[str, Any], folder: Path, clock: _Clock) -> Any:
    """The reranker with its model in memory. Raises UnknownName, or BackendError that says how to do without."""
    if name == DEFAULT_RERANKER and "cache" in RERANKERS.info(name).parameters:
        params = {"cache": folder / STATES, **params}
    try:
        stage = innermost(RERANKERS.load(name, **params), lambda one: _warm(timed(one, clock)))
    except UnknownName:
        raise
    except Exception as error:
        if not isinstance(error, ShortlistError):
            logger.debug("loading the reranker %r failed", name, exc_info=True)
        raise BackendError(f"the reranker {name!r} cannot be used: {error}. --no-rerank searches without it") from error
    return stage


def _warm(stage: Any) -> Any:
    """One tiny call, so that loading a model is not counted as the first query's time and a broken one is found now."""
    backend: Any = getattr(getattr(stage, "scorer", None), "backend", None)
    if hasattr(backend, "token_states"):
        backend.token_states(["a"], kind="query")
    elif hasattr(backend, "pair_scores"):
        backend.pair_scores([("a", "a")])
    return stage


@dataclass
class _Clock:
    """Seconds that a backend worked."""

    seconds: float = 0.0


class _Timed:
    """A backend whose working time is added to a clock; everything else is passed through."""

    def __init__(self, backend: Any, clock: _Clock) -> None:
        self.backend, self.clock = backend, clock

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.backend, name)
        if name not in ("token_states", "embed", "pair_scores", "generate"):
            return value

        def measured(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return value(*args, **kwargs)
            finally:
                self.clock.seconds += time.perf_counter() - start

        return measured


def timed(stage: Any, clock: _Clock) -> Any:
    """The stage with its backend's time measured, when it is a scorer over one backend; else the stage itself."""
    scorer = getattr(stage, "scorer", None)
    if not (is_dataclass(stage) and is_dataclass(scorer) and hasattr(scorer, "backend")):
        return stage
    return replace(cast(Any, stage), scorer=replace(cast(Any, scorer), backend=_Timed(scorer.backend, clock)))


@contextmanager
def _timing(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = time.perf_counter() - start
