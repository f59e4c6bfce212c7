"""Training: samples, hard negatives, teachers and students, on the same nouns as everything else.

A training sample is a ``Ranking``: its documents carry grades (``with_positives``), its candidates carry a teacher's
scores. So a retriever's run, a reranker's output and a training file are one thing, every dialect of ``formats`` reads
and writes it, and ``Mine`` is a stage like any other.
"""

from .leaks import LeakReport, without_leaks
from .mine import Mine
from .samples import with_positives

__all__ = ["LeakReport", "Mine", "with_positives", "without_leaks"]
