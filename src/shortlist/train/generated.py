"""Generated questions and passages of invented words, with grades and a teacher's scores: for smoke runs and tests.

A passage is as relevant as it has words of the query, so a model can learn the task in seconds and a loss can be tried
without data. It says nothing about real texts.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..core.types import Candidate, Document, Qrel, Query, Ranking, Scale
from ..formats.features import GRADE, grade_of

QUERY_WORDS, PASSAGE_WORDS = 3, 6


def lexicon(count: int = 60, seed: int = 0) -> list[str]:
    """Invented words of two syllables.

    >>> len(set(lexicon(60))), lexicon(2)[0].isalpha()
    (60, True)
    """
    chance = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < count:
        made["".join(chance.choice("bdfgklmnprstvz") + chance.choice("aeiou") for _ in range(2))] = None
    return list(made)


def generated(count: int, documents: int = 8, *, seed: int = 0, noise: float = 0.0, name: str = "q") -> list[Ranking]:
    """Rankings in the teacher's order: grades are the words shared with the query (0 to 3), the teacher's score is the
    grade plus normal noise, first ranks are random.

    >>> ranking = generated(1, 4)[0]
    >>> [c.score for c in ranking.candidates] == sorted((c.score for c in ranking.candidates), reverse=True)
    True
    """
    chance, words = random.Random(seed), lexicon()
    return [_ranking(f"{name}{i}", documents, words, chance, noise) for i in range(count)]


def judgements(rankings: Sequence[Ranking]) -> list[Qrel]:
    """Their grades as judgements."""
    return [Qrel(r.query.id, c.id, int(grade_of(c) or 0)) for r in rankings for c in r.candidates]


def first_stage(rankings: Sequence[Ranking]) -> list[Ranking]:
    """The same candidates in the order of the first stage, without scores."""
    undone = []
    for ranking in rankings:
        ordered = sorted(ranking.candidates, key=lambda c: c.first_rank or 0)
        undone.append(Ranking(ranking.query, tuple(Candidate(c.document) for c in ordered)))
    return undone


def _ranking(query_id: str, documents: int, words: Sequence[str], chance: random.Random, noise: float) -> Ranking:
    asked = chance.sample(words, QUERY_WORDS)
    others = [word for word in words if word not in asked]
    grades = [QUERY_WORDS, 0, *(chance.randint(0, QUERY_WORDS) for _ in range(documents - 2))]
    chance.shuffle(grades)
    made = []
    for rank, grade in enumerate(grades):
        passage = chance.sample(asked, grade) + chance.sample(others, PASSAGE_WORDS - grade)
        chance.shuffle(passage)
        document = Document(f"{query_id}-d{rank}", " ".join(passage), metadata={GRADE: grade})
        score = grade + noise * chance.gauss(0, 1)
        made.append(Candidate(document, score, float(documents - rank), rank))
    made.sort(key=lambda c: -(c.score or 0.0))
    return Ranking(Query(query_id, " ".join(asked)), tuple(made), "ranked", Scale.LOGIT)
