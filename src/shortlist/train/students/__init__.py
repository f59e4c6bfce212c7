"""Students: what is trained, and how it gives scores.

Each is the training side of one method of the registry: the same tokens, the same arithmetic. ``opens_with`` says how
the saved folder is run.
"""

from ._base import Student
from ._open import LoRA
from .bi_encoder import BiEncoder
from .cross_encoder import CrossEncoder
from .e2rank import E2Rank
from .first import First
from .imitation import Imitation
from .late_interaction import LateInteraction
from .mvp import MVP
from .yes_no import YesNo

__all__ = [
    "MVP",
    "BiEncoder",
    "CrossEncoder",
    "E2Rank",
    "First",
    "Imitation",
    "LateInteraction",
    "LoRA",
    "Student",
    "YesNo",
]
