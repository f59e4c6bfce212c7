"""Statistics over per-query values: paired tests, bootstrap intervals, corrections for many tests. Numpy, no scipy."""

from .bootstrap import bootstrap_interval, bootstrap_interval_of_sets
from .corrections import CORRECTIONS, correct
from .randomisation import permutation_test
from .student import t_test
from .wilcoxon import wilcoxon_test

__all__ = [
    "CORRECTIONS",
    "bootstrap_interval",
    "bootstrap_interval_of_sets",
    "correct",
    "permutation_test",
    "t_test",
    "wilcoxon_test",
]
