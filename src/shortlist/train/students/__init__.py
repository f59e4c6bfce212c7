"""Students: what is trained, and how it gives scores.

Each is the training side of one method of the registry: the same tokens, the same arithmetic. ``opens_with`` says how
the saved folder is run.
"""

from ._base import Student
from ._open import LoRA
from .bi_encoder import BiEncoder
from .cross_encoder import CrossEncoder
from .e2rank import E2Rank
from .fid import FiD
from .first import First
from .imitation import Imitation, PairImitation
from .late_interaction import LateInteraction
from .mvp import MVP
from .sft import SFT
from .t5 import MonoT5, RankT5
from .yes_no import YesNo

__all__ = [
    "MVP",
    "SFT",
    "BiEncoder",
    "CrossEncoder",
    "E2Rank",
    "FiD",
    "First",
    "Imitation",
    "LateInteraction",
    "LoRA",
    "MonoT5",
    "PairImitation",
    "RankT5",
    "Student",
    "YesNo",
]
