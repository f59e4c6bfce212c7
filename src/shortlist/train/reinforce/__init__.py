"""Reinforcement: a chat model answers, its answers are rewarded, and the better ones become likelier (extra ``rl``).

``Reinforce`` says how; ``reinforce`` does it on TRL's ``GRPOTrainer``. For anything that scores there is a loss
instead, ``losses.PlackettLuce``, with the trainer of all other losses.
"""

from .options import Reinforce
from .trainer import reinforce

__all__ = ["Reinforce", "reinforce"]
