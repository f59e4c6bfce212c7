"""ProRank, first stage: does the model answer with the right one of two tokens, and with nothing else.

Source: Li et al. 2025, arXiv 2506.03487; no training code was published.
"""

from __future__ import annotations

from collections.abc import Sequence

from .values import Record, Reward, Rollout, about


def prorank(rollouts: Sequence[Rollout], record: Record) -> list[Reward]:
    """1 when the answer is ``1`` for a relevant document or ``0`` for another; anything else is 0.

    Gate ``not_a_label``: the answer, blanks aside, is neither. Raises InputError when a rollout names no document.

    >>> record = Record(("a", "b"), {"a": 2})
    >>> [r.total for r in prorank([Rollout("1", 0), Rollout("1", 1), Rollout("yes", 0)], record)]
    [1.0, 0.0, 0.0]
    """
    rewards = []
    for rollout in rollouts:
        wanted = "1" if record.grade(about(rollout, record)) > 0 else "0"
        said = rollout.text.strip()
        if said not in ("0", "1"):
            rewards.append(Reward(0.0, gate="not_a_label"))
        else:
            right = float(said == wanted)
            rewards.append(Reward(right, {"label": right}))
    return rewards
