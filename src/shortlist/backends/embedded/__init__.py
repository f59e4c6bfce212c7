"""The embedded backend: encoders and cross-encoders on the CPU, with the shipped model or the user's, without torch.

`Encoder` gives token states and vectors, `PairScorer` cross-encoder logits, `late_scores` the default reranker's score,
`StateCache` keeps token states on disk (`CachedEncoder` uses it), `describe` says what runs on this machine and why.
"""

from ...core.types import Length
from .cached import CachedEncoder
from .choice import Choice, choose, describe
from .encoder import Encoder
from .pairs import PairScorer
from .state_cache import StateCache
from .tokens import Passage

__all__ = [
    "CachedEncoder",
    "Choice",
    "Encoder",
    "Length",
    "PairScorer",
    "Passage",
    "StateCache",
    "choose",
    "describe",
]
