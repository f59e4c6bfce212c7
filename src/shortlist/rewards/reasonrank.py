"""ReasonRank: nDCG@10 + 0.2 recall@10 + 0.1 overlap with a teacher's order, behind two gates of form.

Source: Liu et al. 2025, arXiv 2508.07050, and the authors' ``compute_score``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core.errors import InputError
from ._parts import THINK_ANSWER, average_overlap, ndcg_10, recall_10
from .values import Record, Reward, Rollout, summed

RECALL, OVERLAP = 0.2, 0.1  # the authors' weights
NO_TAGS = -1.0


def reasonrank(rollouts: Sequence[Rollout], record: Record, *, strict: bool = False) -> list[Reward]:
    """What the order inside ``<think>...</think> <answer>...</answer>`` is worth.

    Gates: ``no_tags`` is -1; ``not_a_permutation`` is 0: the numbers in the answer are not the identifiers of the
    record's ``order``, each once. Any run of digits in the answer is a number, so an explanation there costs all.

    strict: the authors' code to the letter. It asks only for the right *number* of distinct numbers, so ``[21]`` in
    place of ``[5]`` is dropped for next to nothing, ``[0]`` is the last document, and ``[01]`` another number than
    ``[1]``. A model trained on it may learn that; so the default asks for the identifiers themselves. On permutations
    in plain digits both give the same.

    Relevance is binary. Raises InputError for a record without ``order`` or without a relevant document.

    >>> record = Record(("a", "b"), {"b": 1}, order=(1, 0))
    >>> reasonrank([Rollout("<think>x</think> <answer>[2] > [1]</answer>")], record)[0].total
    1.3
    """
    relevant = {doc_id: 1 for doc_id, grade in record.grades.items() if grade > 0}
    if not record.order or not relevant:
        raise InputError("ReasonRank's reward needs a teacher's order and at least one relevant document")
    return [_one(rollout.text, record, relevant, strict) for rollout in rollouts]


def _one(text: str, record: Record, relevant: dict[str, int], strict: bool) -> Reward:
    match = THINK_ANSWER.search(text)
    if match is None:
        return Reward(NO_TAGS, gate="no_tags")
    said = "".join(c if c.isdigit() else " " for c in match[1]).split()
    wanted = [str(position + 1) for position in record.order]
    if len(said) != len(wanted) or len(set(said)) != len(wanted):
        return Reward(0.0, gate="not_a_permutation")
    try:
        positions = [int(number) - 1 for number in said]
    except ValueError:  # a circled digit is a digit and no number
        return Reward(0.0, gate="not_a_permutation")
    if not strict:
        if sorted(positions) != list(range(len(wanted))):
            return Reward(0.0, gate="not_a_permutation")
        said = [str(position + 1) for position in positions]
    ids = [record.documents[i] for i in positions if i < len(record.documents)]
    ids = [doc_id for rank, doc_id in enumerate(ids) if doc_id not in ids[rank + 1 :]]  # strict: the last place counts
    return summed(
        {
            "ndcg": ndcg_10(ids, relevant),
            "recall": RECALL * recall_10(ids, relevant),
            "overlap": OVERLAP * average_overlap(said, wanted),
        }
    )
