"""The values that every layer speaks in: frozen, comparable, without behaviour beyond their own invariants.

Position is the rank (0 is the best); files and printed text count from 1. Higher scores are better, always.
This module does not know models, files or schedules.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from .errors import RankingError, ScoreError

MISSING = float("-inf")
"""The score of a document about which a call said nothing. It sorts last, keeps first-stage order among its like,
and reducers that average leave it out: missing is not zero."""

Group = tuple[int, ...]
"""Positions (into one ranking's candidates) that are shown to the scorer together, in presentation order."""
Scores = tuple[float, ...]
"""One number per document of a group, in presentation order; finite or ``MISSING``."""
Order = tuple[int, ...]
"""A permutation of ``range(n)``, best first."""
Status = Literal["retrieved", "ranked", "partial", "unscored"]
"""retrieved: a first stage's order; ranked: a reranker finished; partial: a budget ended first, or most calls said
nothing usable; unscored: it failed."""


class Scale(StrEnum):
    """What a score means, and so what may be done with it."""

    LOGIT = "logit"  # unbounded, comparable across queries of one model
    PROBABILITY = "probability"  # in [0, 1]
    COSINE = "cosine"  # in [-1, 1]
    LIKELIHOOD = "likelihood"  # log-likelihood, negative
    RATING = "rating"  # a grade that a model wrote
    LEXICAL = "lexical"  # BM25 and its kin: depends on the collection
    RELATIVE = "relative"  # scaled over this candidate list: no threshold, no comparison across queries
    POINTS = "points"  # wins or survivals in a tournament
    RANK = "rank"  # derived from the position: strictly decreasing, carries no strength
    API = "api"  # a remote service's own number
    UNKNOWN = "unknown"  # read from a file that does not say


@dataclass(frozen=True, slots=True)
class Query:
    """A question or keyword query. ``instruction`` tells a model what counts as relevant."""

    id: str
    text: str
    instruction: str | None = None
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A document or passage. ``metadata`` (source file, place, side signals) never takes part in equality."""

    id: str
    text: str
    title: str | None = None
    images: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict, compare=False)

    @property
    def full_text(self) -> str:
        """Title and text as one string, as BEIR's models read them.

        >>> Document("d", "is a city.", title="Paris").full_text
        'Paris is a city.'
        """
        return f"{self.title} {self.text}" if self.title else self.text


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document in a ranking. The first stage's score and position travel with the document, not with the slot."""

    document: Document
    score: float | None = None
    first_score: float | None = None
    first_rank: int | None = None

    @property
    def id(self) -> str:
        return self.document.id

    @property
    def came_with(self) -> float | None:
        """The first stage's score: the one that was kept, or the document's own before any reranker has seen it."""
        return self.score if self.first_rank is None and self.first_score is None else self.first_score


@dataclass(frozen=True, slots=True)
class Qrel:
    """One judgement. ``grade`` above 0 is relevant; negative is judged junk."""

    query_id: str
    doc_id: str
    grade: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What was spent. Token counts are the backend's own; ``seconds`` is the backend's working time."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.seconds + other.seconds,
        )

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


ONE_CALL = Usage(calls=1)


@dataclass(frozen=True, slots=True)
class Length:
    """Tokens of a text (a backend's ``lengths`` says which are counted), and how many of them the model reads."""

    tokens: int
    kept: int

    @property
    def cut(self) -> bool:
        return self.kept < self.tokens


@dataclass(frozen=True, slots=True)
class Repair:
    """Something that was mended instead of failing: what kind, how often, and the evidence.

    ``kind`` is a stable snake_case name that reports count by (``appended_missing``, ``truncated``, ``retried`` ...).
    """

    kind: str
    count: int = 1
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One group put to a scorer: the unit of tracing, cost, caching and distillation.

    group: document ids in presentation order. scores: one per document, finite or ``MISSING``. parts: what the scores
    are made of, where a scorer tells it: name -> one number per document, as they are before any scaling.
    """

    group: tuple[str, ...]
    scores: Scores
    output: str = ""
    repairs: tuple[Repair, ...] = ()
    usage: Usage = ONE_CALL
    parts: Mapping[str, Scores] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name, scores in (("scores", self.scores), *self.parts.items()):
            if len(scores) != len(self.group):
                raise ScoreError(
                    f"{len(self.group)} documents {self.group[:5]} were shown, {len(scores)} {name} came back"
                )
            for doc_id, score in zip(self.group, scores, strict=True):
                if math.isnan(score) or score == math.inf:
                    raise ScoreError(
                        f"document {doc_id!r}: score {score} is not finite; use MISSING (-inf) for 'no score'"
                    )


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates of one query, best first. Ids are unique; documents with equal texts stay apart.

    Raises RankingError for a repeated id and ScoreError for a score that is NaN or +inf.
    """

    query: Query
    candidates: tuple[Candidate, ...] = ()
    status: Status = "retrieved"
    scale: Scale = Scale.UNKNOWN
    reason: str = ""
    trace: tuple[Call, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        ids = self.ids
        if len(set(ids)) != len(ids):
            twice = [i for i, count in Counter(ids).items() if count > 1]
            raise RankingError(f"query {self.query.id!r}: documents listed twice: {twice[:5]}; ids must be unique")
        for c in self.candidates:
            if c.score is not None and (math.isnan(c.score) or c.score == math.inf):
                raise ScoreError(f"query {self.query.id!r}, document {c.id!r}: the score {c.score} is not finite")

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(c.document.id for c in self.candidates)

    @property
    def documents(self) -> tuple[Document, ...]:
        return tuple(c.document for c in self.candidates)

    @property
    def usage(self) -> Usage:
        return sum((call.usage for call in self.trace), Usage())

    @property
    def repairs(self) -> Counter[str]:
        """How often each kind of repair was made on the way to this ranking."""
        counts: Counter[str] = Counter()
        for call in self.trace:
            for repair in call.repairs:
                counts[repair.kind] += repair.count
        return counts

    def top(self, k: int | None) -> Ranking:
        """The first ``k`` candidates: a prefix, everything else unchanged. ``None`` is all."""
        if k is not None and k < 0:
            raise RankingError(f"query {self.query.id!r}: cannot keep {k} candidates; k must be 0 or more")
        return self if k is None or k >= len(self.candidates) else replace(self, candidates=self.candidates[:k])

    def reorder(
        self,
        order: Sequence[int],
        scores: Sequence[float] | None = None,
        *,
        scale: Scale = Scale.RANK,
        status: Status = "ranked",
        reason: str = "",
        trace: tuple[Call, ...] = (),
    ) -> Ranking:
        """The same documents in the order of ``order`` (positions, best first).

        scores: one per *old* position, on ``scale``; ``MISSING`` becomes ``None`` on the candidate. Without scores
        the new ones are derived from the rank: n, n-1, ..., 1, strictly decreasing, scale ``RANK``. ``trace`` is
        appended. Raises RankingError when ``order`` is not a permutation.
        """
        n = len(self.candidates)
        if sorted(order) != list(range(n)):
            raise RankingError(f"query {self.query.id!r}: {tuple(order)[:20]} is not a permutation of {n} positions")
        if scores is not None and len(scores) != n:
            raise ScoreError(f"query {self.query.id!r}: {len(scores)} scores for {n} documents")
        moved = []
        for rank, i in enumerate(order):
            old = self.candidates[i]
            moved.append(
                Candidate(
                    old.document,
                    float(n - rank) if scores is None else _known(scores[i]),
                    old.came_with,
                    i if old.first_rank is None else old.first_rank,
                )
            )
        return Ranking(
            self.query, tuple(moved), status, Scale.RANK if scores is None else scale, reason, (*self.trace, *trace)
        )


def _known(score: float) -> float | None:
    return None if score == MISSING else float(score)
