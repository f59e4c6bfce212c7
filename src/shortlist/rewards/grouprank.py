"""GroupRank: nDCG@10 + 0.2 recall@10 + 0.1 likeness to a teacher's scores, behind two gates of form.

Source: Sun et al. 2025, arXiv 2511.11653. The authors published no training code: weights and gates are the paper's;
how scores become a distribution (softmax) and the logarithm's base (2, so that the divergence ends at 1) are ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..core.errors import InputError
from ..core.exchange import Completion
from ..readouts import JsonScores
from ._parts import REASON_ANSWER, ndcg_10, recall_10
from .values import Record, Reward, Rollout, summed

RECALL, LIKENESS = 0.2, 0.1
NO_TAGS, BAD_JSON = -0.5, -0.1


def grouprank(rollouts: Sequence[Rollout], record: Record, *, temperature: float = 1.0) -> list[Reward]:
    """What the scores inside ``<reason>...</reason> <answer>...</answer>`` are worth.

    Gates: ``no_tags`` is -0.5; ``bad_json`` is -0.1: not JSON (fenced or not) with one number from 0 to 10 for each
    document and nothing else. Equal scores stay in the order of the prompt. temperature: of the softmax over both the
    written and the teacher's scores. Raises InputError for a record without ``teacher``.

    >>> record = Record(("a", "b"), {"b": 1}, teacher=(0.0, 5.0))
    >>> reward = grouprank([Rollout('<reason>x</reason><answer>{"[1]": 0, "[2]": 5}</answer>')], record)[0]
    >>> round(reward.total, 6), reward.gate
    (1.3, '')
    """
    if not record.teacher or temperature <= 0:
        raise InputError(f"GroupRank's reward needs teacher scores and a temperature above 0, got {temperature}")
    return [_one(rollout.text, record, temperature) for rollout in rollouts]


def _one(text: str, record: Record, temperature: float) -> Reward:
    match = REASON_ANSWER.search(text)
    if match is None:
        return Reward(NO_TAGS, gate="no_tags")
    reading = JsonScores(tag="", fenced=True).read(Completion(match[1]), len(record.documents))
    if not reading.valid or reading.repairs:
        return Reward(BAD_JSON, gate="bad_json")
    order = sorted(range(len(record.documents)), key=lambda i: -reading.scores[i])
    ids = [record.documents[i] for i in order]
    written, gold = _shares(reading.scores, temperature), _shares(record.teacher, temperature)
    return summed(
        {
            "ndcg": ndcg_10(ids, record.grades),
            "recall": RECALL * recall_10(ids, record.grades),
            "likeness": LIKENESS * (1.0 - divergence(written, gold)),
        }
    )


def divergence(p: Sequence[float], q: Sequence[float]) -> float:
    """Jensen and Shannon's, to base 2: 0 for equal distributions, 1 for disjoint ones.

    >>> divergence((1.0, 0.0), (0.0, 1.0))
    1.0
    """
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    halves = (sum(a * math.log2(a / m) for a, m in zip(side, middle, strict=True) if a > 0) for side in (p, q))
    return sum(halves) / 2


def _shares(scores: Sequence[float], temperature: float) -> list[float]:
    top = max(scores)
    weights = [math.exp((score - top) / temperature) for score in scores]
    return [weight / sum(weights) for weight in weights]
