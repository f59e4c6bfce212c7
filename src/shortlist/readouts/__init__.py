"""Readouts: what a language model gave back, read as one score per document. Pure and total.

Whatever the output (any text, any mapping of labels, any group size) a readout returns as many scores as there are
documents, each finite or MISSING, names everything that it mended, and says whether anything usable was there.
"""

from .graded import ExpectedGrade
from .json_scores import JsonScores
from .labels import FirstToken, Winner
from .permutation import Permutation
from .pick import Pick
from .rating import Rating
from .tagged import TaggedAnswer
from .verdict import Verdict
from .yes_no import FirstBeatsSecond, RawLogit, YesNo

__all__ = [
    "ExpectedGrade",
    "FirstBeatsSecond",
    "FirstToken",
    "JsonScores",
    "Permutation",
    "Pick",
    "Rating",
    "RawLogit",
    "TaggedAnswer",
    "Verdict",
    "Winner",
    "YesNo",
]
