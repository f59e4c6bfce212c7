"""Rank-R1: was the best document named, in the form that was asked for.

Source: Zhuang et al. 2025, arXiv 2503.06034; the authors' ``reward_func_setwise`` gives the same on every text.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core.errors import InputError
from ._parts import THINK_ANSWER
from .values import Record, Reward, Rollout


def rank_r1(rollouts: Sequence[Rollout], record: Record) -> list[Reward]:
    """1 for ``<think>...</think> <answer>[k]</answer>`` with the label of a best document, else 0.

    Best is the highest grade; the authors' sets have one relevant document. The label must stand there exactly:
    ``[3].`` and ``3`` are wrong, and so is an answer without a thought (gate ``no_match``). The first such pair of tags
    counts, and what is written around it does not matter. There is no reward for the form alone.

    Raises InputError for a record without a relevant document.

    >>> record = Record(("a", "b"), {"b": 1})
    >>> [r.total for r in rank_r1([Rollout("<think>x</think><answer>[2]</answer>"), Rollout("[2]")], record)]
    [1.0, 0.0]
    """
    best = max((record.grade(i) for i in range(len(record.documents))), default=0)
    if best < 1:
        raise InputError(f"no document of {record.documents[:5]} ... is relevant, so none can be named; leave it out")
    labels = {f"[{i + 1}]" for i in range(len(record.documents)) if record.grade(i) == best}
    return [_one(rollout.text, labels) for rollout in rollouts]


def _one(text: str, labels: set[str]) -> Reward:
    match = THINK_ANSWER.search(text)
    if match is None:
        return Reward(0.0, gate="no_match")
    right = float(match[1].strip() in labels)
    return Reward(right, {"label": right})
