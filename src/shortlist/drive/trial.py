"""What a schedule costs and how good its first ten are, with judges that err in three ways; no model is asked.

The judges: one that errs anew at every look (``noisy``), one that errs about a document in the same way every time
(``stubborn``), and one that also likes what stands first in a call (``biased``). Real models do all three, in shares
that nobody knows beforehand, and some documents are harder than others, which is not simulated. Nor are texts: a model
may err more in long prompts, and this knows nothing of it. So the numbers compare schedules under equal errors; they do
not say how good a model is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from ..core.errors import ConfigError
from ..core.protocols import Schedule
from ..core.types import Order
from .simulate import Judge, first_stage, noisy, perfect, simulate

RELEVANT = 10  # documents with a gain: 10 for the best, 1 for the tenth


@dataclass(frozen=True, slots=True)
class Trial:
    """Means over several first stages. calls, steps, documents: with a judge that is always right.

    The rest is nDCG@10: first_stage without reranking; exact, independent, stubborn and position with these judges.
    """

    calls: float
    steps: float
    documents: float
    largest_group: int
    first_stage: float
    exact: float
    independent: float
    stubborn: float
    position: float


def stubborn(relevance: Sequence[float], sigma: float, seed: int = 0) -> Judge:
    """A judge that errs about each document once and for all: asking again gives the same answer."""
    random = Random(seed)
    return perfect([r + random.gauss(0, sigma) for r in relevance])


def biased(judge: Judge, bias: float) -> Judge:
    """``judge``, but every position in a call takes ``bias`` off the score.

    >>> biased(perfect([3.0, 3.0]), 0.5)((1, 0))
    (3.0, 2.5)
    """
    return lambda group: tuple(score - bias * place for place, score in enumerate(judge(group)))


def ndcg(order: Order, relevance: Sequence[float], k: int = 10) -> float:
    """nDCG@k of an order of positions whose relevance is n for the best and 1 for the last; only the best ten have a
    gain.

    >>> ndcg((1, 0, 2), [1.0, 3.0, 2.0]) < ndcg((1, 2, 0), [1.0, 3.0, 2.0]) == 1.0
    True
    """
    gains = [max(0.0, r - max(0, len(relevance) - RELEVANT)) for r in relevance]

    def discounted(values: Iterable[float]) -> float:
        return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(values))

    best = discounted(sorted(gains, reverse=True)[:k])
    return discounted(gains[i] for i in order[:k]) / best if best else 1.0


def trial(
    schedule: Schedule,
    n: int = 100,
    *,
    sigma: float = 8.0,
    bias: float = 1.0,
    first: float = 15.0,
    seeds: Sequence[int] = range(40),
) -> Trial:
    """Run ``schedule`` over ``n`` documents for every seed and judge.

    sigma: the judges' errors, bias: what a position costs, first: the first stage's errors; all in ranks.
    """
    if not seeds:
        raise ConfigError("trial: seeds is empty; at least one run is needed")
    found: dict[str, list[float]] = {
        name: [] for name in ("first_stage", "exact", "independent", "stubborn", "position")
    }
    runs = []
    for seed in seeds:
        relevance = first_stage(n, first, seed)
        judges = {
            "exact": perfect(relevance),
            "independent": noisy(relevance, sigma, seed),
            "stubborn": stubborn(relevance, sigma, seed),
            "position": biased(noisy(relevance, sigma, seed), bias),
        }
        found["first_stage"].append(ndcg(tuple(range(n)), relevance))
        for name, judge in judges.items():
            run = simulate(schedule, n, judge)
            found[name].append(ndcg(run.order, relevance))
            if name == "exact":
                runs.append(run)
    return Trial(
        _mean([run.calls for run in runs]),
        _mean([run.steps for run in runs]),
        _mean([run.documents for run in runs]),
        max(run.largest_group for run in runs),
        **{name: _mean(values) for name, values in found.items()},
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
