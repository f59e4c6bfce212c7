"""Training: samples, hard negatives, teachers and students, on the same nouns as everything else.

A training sample is a ``Ranking``: its documents carry grades (``with_positives``), its candidates carry a teacher's
scores. So a retriever's run, a reranker's output and a training file are one thing, every dialect of ``formats`` reads
and writes it, and ``Mine`` is a stage like any other.

A ``Student`` (``train.students``) is the training side of a method, an ``Objective`` says what it is told, ``Grouping``
what it sees at once, ``Settings`` how long; ``train`` puts them together on transformers' ``Trainer`` (extra
``train``), and ``gate`` decides whether the result is better than what was there.
"""

from .batches import Group, Grouping, Groups
from .leaks import LeakReport, without_leaks
from .mine import Mine
from .objective import Objective
from .samples import with_positives
from .settings import Settings

__all__ = [
    "Group",
    "Grouping",
    "Groups",
    "LeakReport",
    "Mine",
    "Objective",
    "Settings",
    "with_positives",
    "without_leaks",
]
