"""Rearank: how much of the possible gain over the order it was given an answer reaches, plus a little for form.

Source: Zhang et al. 2025, arXiv 2505.20046, from a third party's transcription: the authors' repository
(lezhang7/Rearank at abb4bd0) holds no training code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..core.exchange import Completion
from ..readouts import Permutation
from ._parts import THINK_ANSWER, best_ndcg_10, ndcg_10
from .values import Record, Reward, Rollout, summed

RANKING, TAGS, LIST = 0.8, 0.1, 0.1
_LIST = re.compile(r"\s*\[\d+\](?:\s*>\s*\[\d+\])*\s*")


def rearank(rollouts: Sequence[Rollout], record: Record) -> list[Reward]:
    """0.8 (nDCG@10 - that of the given order) / (best possible - that of the given order), + 0.1 for both tags, + 0.1
    for a bare list ``[2] > [1]`` in the answer.

    Best possible is over the documents shown. The order is read as at inference (documents not named follow those
    named), also from an answer without tags; gate ``no_order`` when nothing can be read: the ranking term is 0 then, as
    for the given order. Ours, since the source does not say: where the given order is the best already, keeping an
    equally good one is the whole term, and a worse one loses its nDCG.

    >>> record = Record(("a", "b"), {"b": 1})
    >>> rearank([Rollout("<think>x</think><answer>[2] > [1]</answer>")], record)[0].total
    1.0
    """
    given = ndcg_10(record.documents, record.grades)
    possible = best_ndcg_10(record.documents, record.grades)
    return [_one(rollout.text, record, given, possible) for rollout in rollouts]


def _one(text: str, record: Record, given: float, possible: float) -> Reward:
    match = THINK_ANSWER.search(text)
    form = {
        "tags": TAGS if match else 0.0,
        "list": LIST if match and _LIST.fullmatch(match[1]) else 0.0,
    }
    reading = Permutation().read(Completion(match[1] if match else text), len(record.documents))
    if not reading.valid:
        return Reward(sum(form.values()), {"ranking": 0.0, **form}, "no_order")
    order = sorted(range(len(record.documents)), key=lambda i: -reading.scores[i])
    reached = ndcg_10([record.documents[i] for i in order], record.grades)
    if possible > given:
        gain = (reached - given) / (possible - given)
    else:
        gain = 1.0 if reached >= given else reached - given
    return summed({"ranking": RANKING * gain, **form})
