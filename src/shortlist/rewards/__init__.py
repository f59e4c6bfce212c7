"""Rewards for training rerankers by reinforcement: what one answer was worth, and why.

A reward function takes all rollouts of one query and the query's record, and gives one ``Reward`` per rollout: some
compare the rollouts with each other. Pure: no model, no files, no state. What a method's authors published decides the
gates and weights; where only the words of a paper are known, the docstring says which numbers are ours.
"""

from .erank import erank
from .grouprank import grouprank
from .mm_r5 import mm_r5
from .prorank import prorank
from .rank_r1 import rank_r1
from .rearank import rearank
from .reasonrank import reasonrank
from .values import Record, Reward, RewardFunction, Rollout

__all__ = [
    "Record",
    "Reward",
    "RewardFunction",
    "Rollout",
    "erank",
    "grouprank",
    "mm_r5",
    "prorank",
    "rank_r1",
    "rearank",
    "reasonrank",
]
