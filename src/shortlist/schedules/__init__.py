"""Schedules: which groups of documents are scored, in what order, and how their scores become one ranking.

A schedule never sees a text, a model or a score's meaning beyond "higher is better". It is a generator that yields
rounds of groups and is sent numbers, so one object serves every driver, the simulator and the tests. Layer 1, standard
library only.
"""

from .bubble import BubbleTopK
from .cascade import Cascade
from .elimination import EliminationTournament
from .heap import HeapTopK
from .insertion import InsertionTopK
from .map import Map
from .once import Once
from .orders import RepeatOrders
from .pairs import AllPairs
from .partition import TopDownPartition
from .points import PointsTournament
from .repeat import RepeatShuffled
from .shuffled import ShuffledGroups
from .window import SlidingWindow

__all__ = [
    "AllPairs",
    "BubbleTopK",
    "Cascade",
    "EliminationTournament",
    "HeapTopK",
    "InsertionTopK",
    "Map",
    "Once",
    "PointsTournament",
    "RepeatOrders",
    "RepeatShuffled",
    "ShuffledGroups",
    "SlidingWindow",
    "TopDownPartition",
]
