"""Scorers: what gives numbers to groups of documents, each on one kind of backend."""

from .attention import InContext
from .chunked import Chunked, ChunkedAsync, chunked
from .cosine import Cosine
from .cross_attention import CrossAttention
from .grouped import Grouped
from .late import LateInteraction
from .likelihood import QueryLikelihood
from .list_query import ListQuery
from .multi_view import MultiView
from .pairs import Pairs
from .prompted import Prompted
from .prompted_async import PromptedAsync, prompted
from .reasoned import Reasoned, ReasonedAsync, reasoned
from .remote import RemoteRerank

__all__ = [
    "Chunked",
    "ChunkedAsync",
    "Cosine",
    "CrossAttention",
    "Grouped",
    "InContext",
    "LateInteraction",
    "ListQuery",
    "MultiView",
    "Pairs",
    "Prompted",
    "PromptedAsync",
    "QueryLikelihood",
    "Reasoned",
    "ReasonedAsync",
    "RemoteRerank",
    "chunked",
    "prompted",
    "reasoned",
]
