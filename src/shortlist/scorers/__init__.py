"""Scorers: what gives numbers to groups of documents, each on one kind of backend."""

from .cosine import Cosine
from .late import LateInteraction
from .pairs import Pairs
from .prompted import Prompted
from .prompted_async import PromptedAsync, prompted
from .remote import RemoteRerank

__all__ = ["Cosine", "LateInteraction", "Pairs", "Prompted", "PromptedAsync", "RemoteRerank", "prompted"]
