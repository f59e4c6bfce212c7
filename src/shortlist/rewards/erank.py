"""ERank: every rollout of every document of a query is ranked among all the others by the grade that it gave.

Source: Cai et al. 2025, arXiv 2509.00520, section on the listwise reward. The paper gives its constants only in a
picture: the penalty and the scale of the squared error are ours, and tunable.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ..core.errors import InputError
from ..core.exchange import Completion
from ..core.types import MISSING
from ..readouts import Rating
from .values import Record, Reward, Rollout, about


def erank(
    rollouts: Sequence[Rollout], record: Record, *, penalty: float = -1.0, low: float = 0.0, high: float = 10.0
) -> list[Reward]:
    """All rollouts of all documents together; equal grades share the best rank among them.

    A relevant document: the reciprocal of the rollout's rank. One that is not, ranked above some rollout of a relevant
    document: ``penalty`` (term ``above_relevant``); else minus the squared distance to the teacher's score of it, both
    divided by ``high - low``. Gate ``malformed``: no grade between ``low`` and ``high`` inside ``<answer>``; it gets
    ``penalty`` and takes no rank.

    Raises InputError when the record has no ``teacher`` scores or a rollout names no document.

    >>> record = Record(("a", "b"), {"a": 1}, teacher=(9.0, 2.0))
    >>> answers = [Rollout("<answer>9</answer>", 0), Rollout("<answer>5</answer>", 1)]
    >>> [round(r.total, 3) for r in erank(answers, record)]
    [1.0, -0.09]
    """
    if not record.teacher:
        raise InputError("ERank's reward needs a teacher's score for every document (those of the fine-tuned model)")
    readout = Rating(low, high, tags=("answer",), out_of_range="invalid")
    documents = [about(rollout, record) for rollout in rollouts]
    grades = [_grade(rollout.text, readout) for rollout in rollouts]
    pool = sorted(g for g in grades if g != MISSING)
    relevant = [g for g, d in zip(grades, documents, strict=True) if record.grade(d) > 0 and g != MISSING]
    lowest = min(relevant, default=None)

    def one(grade: float, document: int) -> Reward:
        if grade == MISSING:
            return Reward(penalty, gate="malformed")
        if record.grade(document) > 0:
            value = 1.0 / (1 + len(pool) - bisect_right(pool, grade))
            return Reward(value, {"reciprocal_rank": value})
        if lowest is not None and grade > lowest:
            return Reward(penalty, {"above_relevant": penalty})
        value = -(((grade - record.teacher[document]) / (high - low)) ** 2)
        return Reward(value, {"squared_error": value})

    return [one(grade, document) for grade, document in zip(grades, documents, strict=True)]


def _grade(text: str, readout: Rating) -> float:
    if "<answer>" not in text:
        return MISSING
    reading = readout.read(Completion(text), 1)
    return reading.scores[0] if reading.valid and not reading.repairs else MISSING
