"""Hard negatives: from the ranks of a run, without the ones that are likely relevant after all.

Sources: Qu et al. 2021, arXiv 2010.08191 (RocketQA: denoising by a cross-encoder); ColBERT-XM (arXiv 2402.15059: a
negative scores at least 3 below the worst positive); Moreira et al. 2024, arXiv 2407.15831 (NV-Retriever: at most a
share of the positive's score). It does not know where scores come from.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..core.errors import ConfigError
from ..core.types import Call, Candidate, Ranking, Repair, Usage
from ..formats.features import grade_of
from ..formats.graded import graded
from ..pipeline import Stage
from .samples import is_positive

NOTHING_SPENT = Usage()


@dataclass(frozen=True)
class Mine(Stage):
    """A stage from rankings with grades to training samples: the positives, best grade first, then the negatives.

    negatives: how many are kept per query; fewer when there are not enough. first, last: the ranks (from 1) of the
    first stage that they are taken from; None is the end. take: ``random`` draws from what is left, ``top`` takes the
    hardest. random: how many of the negatives are drawn from behind ``last`` instead, easy ones for a mix.

    margin: a negative must score at least that much below the worst positive. share: at most that share of the worst
    positive's score (for scores from 0 up). Both compare the candidates' scores as they come in, so put the teacher in
    front: ``bm25 % 100 >> teacher >> Mine(margin=3.0)``; the positives need scores then, too. What is left out is
    counted as ``likely_false_negative``. A document that is judged 0 or less is a negative whatever it scores.

    A query without a positive, or without a negative, becomes ``unscored`` with the reason, which training leaves out.
    The draw depends on ``seed`` and the query's id, not on what else is mined.
    """

    negatives: int = 7
    first: int = 1
    last: int | None = 100
    take: Literal["random", "top"] = "random"
    random: int = 0
    margin: float | None = None
    share: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.negatives < 1 or not 0 <= self.random <= self.negatives:
            raise ConfigError(f"negatives={self.negatives}, random={self.random}: expected 1 or more, and 0 to that")
        if self.first < 1 or (self.last is not None and self.last < self.first):
            raise ConfigError(f"ranks {self.first} to {self.last}: expected 1 or more, the last not before the first")
        if self.take not in ("random", "top"):
            raise ConfigError(f"take={self.take!r}: expected 'random' or 'top'")
        if self.random and self.last is None:
            raise ConfigError("random negatives come from behind `last`, which is None")

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        return [self._mined(ranking).top(k) for ranking in rankings]

    def _mined(self, ranking: Ranking) -> Ranking:
        if ranking.status == "unscored":
            return ranking
        positives = sorted(filter(is_positive, ranking.candidates), key=_grade, reverse=True)
        if not positives:
            return replace(ranking, status="unscored", reason="no document is judged relevant")
        others = [(rank, c) for rank, c in _by_first_rank(ranking) if not is_positive(c)]
        inside = [c for rank, c in others if rank >= self.first and (self.last is None or rank <= self.last)]
        behind = [c for rank, c in others if self.last is not None and rank > self.last]
        kept, dropped = self._denoised(inside, positives)
        chance = random.Random(hashlib.sha256(f"{self.seed}\n{ranking.query.id}".encode()).digest())
        easy = chance.sample(behind, min(self.random, len(behind)))
        wanted = self.negatives - len(easy)
        hard = kept[:wanted] if self.take == "top" else chance.sample(kept, min(wanted, len(kept)))
        if not hard and not easy:
            reason = f"no negative is left of {len(inside)} at ranks {self.first} to {self.last or 'the end'}"
            return replace(ranking, status="unscored", reason=reason)
        negatives = tuple(replace(c, document=graded(c.document, min(0, _grade(c)))) for c in (*hard, *easy))
        counted = {"likely_false_negative": dropped, "fewer_negatives": self.negatives - len(negatives)}
        repairs = tuple(Repair(kind, count) for kind, count in counted.items() if count)
        note = (Call((), (), "", repairs, NOTHING_SPENT),) if repairs else ()
        return replace(ranking, candidates=(*positives, *negatives), trace=(*ranking.trace, *note))

    def _denoised(self, candidates: list[Candidate], positives: list[Candidate]) -> tuple[list[Candidate], int]:
        """The candidates that are far enough below the worst positive, and how many are not."""
        if self.margin is None and self.share is None:
            return candidates, 0
        scores = [c.score for c in positives if c.score is not None]
        if len(scores) < len(positives):
            lacking = next(c.id for c in positives if c.score is None)
            raise ConfigError(
                f"margin and share compare with the positives' scores, and {lacking!r} has none; put a reranker in "
                "front (it scores positives that the first stage missed, too)"
            )
        worst = min(scores)
        limits = [worst - self.margin] if self.margin is not None else []
        limits += [worst * self.share] if self.share is not None else []
        sure = [c for c in candidates if grade_of(c) is not None or c.score is None or c.score <= min(limits)]
        return sure, len(candidates) - len(sure)


def _grade(candidate: Candidate) -> float:
    return grade_of(candidate) or 0


def _by_first_rank(ranking: Ranking) -> list[tuple[int, Candidate]]:
    """(rank from 1 in the first stage, candidate), by that rank: where the document stood before any reranking."""
    placed = ((p if c.first_rank is None else c.first_rank, c) for p, c in enumerate(ranking.candidates))
    return sorted(((rank + 1, c) for rank, c in placed), key=lambda found: found[0])
