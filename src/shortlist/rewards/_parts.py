"""The pieces that rewards share: the tags, and how good an order is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..measures import Graded, grade
from ..measures.binary import recall
from ..measures.gains import ndcg

THINK_ANSWER = re.compile(r"<think>.*?</think>\s*<answer>(.*?)</answer>", re.DOTALL)
REASON_ANSWER = re.compile(r"<reason>.*?</reason>\s*<answer>(.*?)</answer>", re.DOTALL)


def ndcg_10(ids: Sequence[str], grades: Mapping[str, int]) -> float:
    """nDCG@10 as trec_eval computes it, over all judged documents."""
    return ndcg(grade(ids, grades), cutoff=10, dcg="log2")


def recall_10(ids: Sequence[str], grades: Mapping[str, int]) -> float:
    """Share of the relevant documents among the first ten."""
    return recall(grade(ids, grades), cutoff=10, rel=1)


def best_ndcg_10(ids: Sequence[str], grades: Mapping[str, int]) -> float:
    """nDCG@10 of the best order of ``ids``: below 1 when relevant documents are not among them."""
    shown: Graded = grade(ids, grades)
    return ndcg(shown.ideal(), cutoff=10, dcg="log2")


def average_overlap(first: Sequence[str], second: Sequence[str]) -> float:
    """Mean over depths of the share that two lists of distinct items have in common: RBO at its limit p = 1.

    Source: Fagin et al. 2003. Lists of different length are compared to the length of the shorter.

    >>> average_overlap("abc", "acb")
    0.8333333333333334
    """
    depth = min(len(first), len(second))
    if not depth:
        return float(len(first) == len(second))
    shares = [len(set(first[:d]) & set(second[:d])) / d for d in range(1, depth + 1)]
    return sum(shares) / depth
