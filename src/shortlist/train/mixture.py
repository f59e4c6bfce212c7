"""Weights of a mixture, learned from judged queries: ten numbers at most, so that a few dozen queries are enough.

Softmax cross-entropy over the list (ListNet's top-one form: Cao et al. 2007, ICML) on columns scaled as the mixture
scales them, weights from 0 up, and a penalty on leaving the weights one begins with, which are those of the first stage
given alone: without evidence nothing changes. Adam in numpy (Kingma and Ba 2015); no torch, no model is trained.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError, InputError
from ..core.types import Ranking
from ..drive.mixture import Columns, mixed
from ..formats.features import grade_of
from ..fuse import normalised
from .leaks import same

Floats = NDArray[np.float64]
Tables = tuple[Floats, NDArray[np.bool_], Floats]
"""Scaled columns (queries, documents, columns), which documents are there, and what is aimed at."""
STRENGTH = 3.0  # of 1, 3 and 10 the best over eight collections, each half of the queries tried on the other half
_UPDATES, _RATE = 300, 0.03
_SHARPNESS = 16.0  # of the softmax at the start; it is learned beside the weights


@dataclass(frozen=True, slots=True)
class Judged:
    """A query to learn from. ranking: as it came, with grades on its documents. columns: what the stages say of it."""

    ranking: Ranking
    columns: Columns


@dataclass(frozen=True, slots=True)
class Fit:
    """weights: column -> from 0 up, rounded to three digits. before, loss: cross-entropy per query with the first
    column alone and with the weights, each at the sharpness that suits it."""

    weights: Mapping[str, float]
    queries: int
    before: float
    loss: float


def check(*, strength: float, folds: int = 2) -> None:
    """Raises ConfigError for a penalty that is none and for fewer than 2 folds."""
    if not 0 <= strength < np.inf:
        raise ConfigError(f"strength={strength}: expected a finite number from 0 up")
    if folds < 2:
        raise ConfigError(f"folds={folds}: expected 2 or more")


def fit(judged: Sequence[Judged], *, strength: float = STRENGTH) -> Fit:
    """The weights for ``judged``, beginning at 1 for the first column and 0 for the others.

    strength: of the penalty, against one query's cross-entropy; it is outweighed as queries become more. Columns are
    those that most queries have; a query that lacks one (a stage left it unscored, say) is not learned from. Raises
    InputError when fewer than two queries have a relevant candidate, and one that is not.
    """
    weights, tables, loss = _learned(judged, strength)
    before = _loss(*tables, *_descended(*tables, _alone(len(weights)), 0.0, learn=False))[0]
    return Fit(weights, len(tables[0]), before, loss)


def _learned(judged: Sequence[Judged], strength: float) -> tuple[dict[str, float], Tables, float]:
    """The weights, what they were learned from, and the loss; raises as ``fit``."""
    check(strength=strength)
    usable = [one for one in judged if _aims(one.ranking) is not None]
    counts = Counter(name for one in usable for name in _heard(one))
    every = max((list(one.columns) for one in judged), key=len, default=[])
    names = [name for name in every if 2 * counts[name] > len(usable)]
    usable = [one for one in usable if set(names) <= set(_heard(one))]
    if len(usable) < 2 or names[:1] != every[:1]:  # the second: most queries were not scored by the baseline
        raise InputError(
            f"{len(usable)} of {len(judged)} queries were scored and have a relevant candidate and another one; 2 or "
            "more are needed: give more judged queries or more candidates (--depth), and see whether the judgements "
            "use the candidates' ids"
        )
    tables = _tables(usable, names)
    start = _alone(len(names))
    weights, sharpness = _descended(*tables, start, strength / len(usable))
    rounded = [round(weight, 3) for weight in weights.tolist()]
    if not any(rounded):  # the judgements contradict every column
        rounded = start.tolist()
    return dict(zip(names, rounded, strict=True)), tables, _loss(*tables, weights, sharpness)[0]


def _alone(columns: int) -> Floats:
    """Weight 1 for the first column and 0 for the others."""
    return np.eye(1, columns).ravel()


def cross_fitted(judged: Sequence[Judged], *, strength: float = STRENGTH, folds: int = 20) -> list[Ranking]:
    """Every query as weights rank it that were learned without it.

    Folds are dealt out by the hash of the query's text, so that two spellings of a query are in one fold, and the same
    queries are always together; the more folds, the less depends on the dealing. Raises ConfigError for fewer than 2
    folds; InputError as ``fit``.
    """
    check(strength=strength, folds=folds)
    texts = [same(one.ranking.query.text) or one.ranking.query.id for one in judged]
    dealt = sorted(set(texts), key=lambda text: (zlib.crc32(text.encode("utf-8", "surrogatepass")), text))
    fold_of = {text: place % folds for place, text in enumerate(dealt)}
    own = [fold_of[text] for text in texts]
    found: dict[int, Ranking] = {}
    for fold in sorted(set(own)):
        weights = _learned([one for one, its in zip(judged, own, strict=True) if its != fold], strength)[0]
        found |= {i: mixed(judged[i].ranking, judged[i].columns, weights) for i, its in enumerate(own) if its == fold}
    return [found[i] for i in range(len(judged))]


def _heard(one: Judged) -> list[str]:
    """The columns that say something, in their order."""
    return [name for name, ranking in one.columns.items() if ranking.status != "unscored"]


def _aims(ranking: Ranking) -> dict[str, float] | None:
    """Document -> its share of the query's grades; None when all documents have the same one."""
    grades = {c.id: max(0.0, grade_of(c) or 0.0) for c in ranking.candidates}
    total = sum(grades.values())
    return {i: grade / total for i, grade in grades.items()} if total and len(set(grades.values())) > 1 else None


def _tables(judged: Sequence[Judged], names: Sequence[str]) -> Tables:
    most = max(len(one.ranking.candidates) for one in judged)
    table = np.zeros((len(judged), most, len(names)))
    there, aims = np.zeros((len(judged), most), np.bool_), np.zeros((len(judged), most))
    for i, one in enumerate(judged):
        place = {doc_id: d for d, doc_id in enumerate(one.ranking.ids)}
        there[i, : len(place)] = True
        for doc_id, share in (_aims(one.ranking) or {}).items():
            aims[i, place[doc_id]] = share
        for c, name in enumerate(names):
            heard = [(place[doc.id], doc.score) for doc in one.columns[name].candidates if np.isfinite(doc.score or 0)]
            for (d, _), value in zip(heard, normalised([s or 0.0 for _, s in heard], "min-max"), strict=True):
                table[i, d, c] = value
    return table, there, aims


def _loss(
    table: Floats, there: NDArray[np.bool_], aims: Floats, weights: Floats, sharpness: float
) -> tuple[float, Floats]:
    """Mean cross-entropy, and its gradient with respect to ``weights * sharpness``."""
    scores = np.where(there, table @ (weights * sharpness), -np.inf)
    scores -= scores.max(axis=1, keepdims=True)
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    value = -float((aims * np.where(there, logs, 0.0)).sum()) / len(table)
    errors = (np.exp(logs) - aims) / len(table)
    return value, np.einsum("qd,qdc->c", errors, table)


def _descended(
    table: Floats, there: NDArray[np.bool_], aims: Floats, start: Floats, penalty: float, *, learn: bool = True
) -> tuple[Floats, float]:
    """Weights and sharpness (as its logarithm, the last of the parameters) after Adam, weights kept from 0 up. learn:
    the weights, not the sharpness alone."""
    values = np.append(start, np.log(_SHARPNESS))
    mean, spread = np.zeros_like(values), np.zeros_like(values)
    for update in range(1, _UPDATES + 1):
        weights, sharpness = values[:-1], float(np.exp(values[-1]))
        slope = _loss(table, there, aims, weights, sharpness)[1] * sharpness
        gradient = np.append(slope + 2 * penalty * (weights - start), slope @ weights)
        gradient[:-1] *= learn
        mean, spread = 0.9 * mean + 0.1 * gradient, 0.999 * spread + 0.001 * gradient**2
        values = values - _RATE * (mean / (1 - 0.9**update)) / (np.sqrt(spread / (1 - 0.999**update)) + 1e-8)
        values[:-1] = np.maximum(values[:-1], 0.0)
    return values[:-1], float(np.exp(values[-1]))
