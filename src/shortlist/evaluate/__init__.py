"""Evaluation of runs and comparison of evaluations: figures that say on which queries they rest."""

from .comparison import Comparison, Difference, compare
from .evaluation import evaluate, evaluate_runs
from .judgements import Judgements, judgements
from .result import Coverage, Evaluation

__all__ = [
    "Comparison",
    "Coverage",
    "Difference",
    "Evaluation",
    "Judgements",
    "compare",
    "evaluate",
    "evaluate_runs",
    "judgements",
]
