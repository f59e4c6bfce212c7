"""How much a student resembles its teacher, whatever either is worth: label, probability and regression loyalty.

Sources: Xu et al. 2021, arXiv 2109.03228 (EMNLP; label and probability loyalty); Avram et al. 2022, arXiv 2112.12650
(regression loyalty). How the last is defined we do not know, so three figures stand under their own names. A row is one
example: the logits of its classes, or the scores of a query's documents in one order for both. For a regression model
all outputs are one row.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..core.errors import ScoreError

Rows = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class RegressionLoyalty:
    """pearson, spearman: mean over rows, rows of equal values left out. mae: mean distance, lower is more loyal."""

    pearson: float
    spearman: float
    mae: float


@dataclass(frozen=True, slots=True)
class Loyalty:
    """All of them, for two runs. queries, documents: how many both score."""

    label: float
    probability: float
    regression: RegressionLoyalty
    queries: int
    documents: int


def label_loyalty(teacher: Rows, student: Rows) -> float:
    """The share of rows in which both have the same place highest (the first of equals).

    >>> label_loyalty([[2, 1, 0], [0, 1, 0]], [[5, 4, 3], [1, 0, 0]])
    0.5
    """
    return statistics.fmean(_top(t) == _top(s) for t, s in _pairs(teacher, student))


def probability_loyalty(teacher: Rows, student: Rows, *, temperature: float = 1.0) -> float:
    """1 - sqrt(JSD(P || Q)), mean over rows; P and Q are softmax(row / temperature), JSD in bits, so from 0 to 1.

    JSD(P || Q) = KL(P || M) / 2 + KL(Q || M) / 2 with M = (P + Q) / 2. (scipy's ``jensenshannon`` is the square root
    already, in nats unless ``base=2`` is given.)

    >>> probability_loyalty([[1, 0], [0, 0]], [[1, 0], [0, 0]])
    1.0
    >>> round(probability_loyalty([[99, 0]], [[0, 99]]), 6)
    0.0
    """
    if temperature <= 0:
        raise ScoreError(f"temperature={temperature}: expected above 0")
    return statistics.fmean(
        1 - math.sqrt(_divergence(_softmax(t, temperature), _softmax(s, temperature)))
        for t, s in _pairs(teacher, student)
    )


def regression_loyalty(teacher: Rows, student: Rows) -> RegressionLoyalty:
    """Pearson's and Spearman's correlation (equal values share their mean rank), and the mean absolute error.

    Raises ScoreError when no row has two different values on both sides.

    >>> regression_loyalty([[3.0, 2.0, 1.0]], [[9.0, 4.0, 1.0]]).spearman
    1.0
    """
    pairs = _pairs(teacher, student)
    varied = [(t, s) for t, s in pairs if len(set(t)) > 1 and len(set(s)) > 1]
    if not varied:
        raise ScoreError(f"none of {len(pairs)} rows has different values on both sides; no correlation is defined")
    return RegressionLoyalty(
        statistics.fmean(_pearson(t, s) for t, s in varied),
        statistics.fmean(_pearson(_mean_ranks(t), _mean_ranks(s)) for t, s in varied),
        statistics.fmean(abs(a - b) for t, s in pairs for a, b in zip(t, s, strict=True)),
    )


def loyalty(
    teacher: Mapping[str, Mapping[str, float]],
    student: Mapping[str, Mapping[str, float]],
    *,
    temperature: float = 1.0,
) -> Loyalty:
    """Of two runs, query id -> document id -> score (``train.teachers.read_scores`` reads them), over what both score.

    Raises ScoreError when there is no query of which both score two documents.

    >>> run = {"q1": {"a": 2.0, "b": 1.0}, "q2": {"a": 0.0, "c": 3.0}}
    >>> loyalty(run, {"q1": {"a": 1.0, "b": 0.0}}).label
    1.0
    """
    rows = [(_finite(told), _finite(student.get(query, {}))) for query, told in teacher.items()]
    common = [[(t[i], s[i]) for i in t if i in s] for t, s in rows]  # document by document: (teacher's, student's)
    kept = [row for row in common if len(row) > 1]
    if not kept:
        raise ScoreError("there is no query of which teacher and student score two documents in common")
    said, learned = [[t for t, _ in row] for row in kept], [[s for _, s in row] for row in kept]
    return Loyalty(
        label_loyalty(said, learned),
        probability_loyalty(said, learned, temperature=temperature),
        regression_loyalty(said, learned),
        len(kept),
        sum(map(len, kept)),
    )


def _pairs(teacher: Rows, student: Rows) -> list[tuple[Sequence[float], Sequence[float]]]:
    shapes = [[len(row) for row in rows] for rows in (teacher, student)]
    if shapes[0] != shapes[1] or not shapes[0] or 0 in shapes[0]:
        raise ScoreError(
            f"{len(teacher)} rows of the teacher, {len(student)} of the student: expected one or more, of equal lengths"
        )
    return list(zip(teacher, student, strict=True))


def _top(row: Sequence[float]) -> int:
    return max(range(len(row)), key=row.__getitem__)


def _softmax(row: Sequence[float], temperature: float) -> list[float]:
    high = max(row)
    shares = [math.exp((x - high) / temperature) for x in row]
    total = sum(shares)
    return [share / total for share in shares]


def _divergence(p: Iterable[float], q: Iterable[float]) -> float:
    """Jensen-Shannon, in bits; never below 0, which rounding could make it."""
    found = 0.0
    for a, b in zip(p, q, strict=True):
        middle = (a + b) / 2
        found += sum(x * math.log2(x / middle) / 2 for x in (a, b) if x > 0)
    return max(0.0, found)


def _pearson(a: Sequence[float], b: Sequence[float]) -> float:
    return statistics.correlation(a, b)


def _mean_ranks(row: Sequence[float]) -> list[float]:
    """Ranks from 1 by rising value, equal values their mean."""
    rising = sorted(row)
    return [(bisect_left(rising, x) + bisect_right(rising, x) + 1) / 2 for x in row]


def _finite(scores: Mapping[str, float]) -> dict[str, float]:
    return {doc_id: score for doc_id, score in scores.items() if math.isfinite(score)}
