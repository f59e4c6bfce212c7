"""Data on which a claim about training shows in seconds, and the comparison that shows it.

A generator (``Matching``, ``TwoViews``, ``Opinions``) makes lists in which one thing is true by construction: the
teacher's scores are shifted per query, labels are sparse, two teachers disagree. An architecture (``Dot``,
``LateInteraction``, ``Cross``) is a way to score, a few thousand weights large. ``compare`` trains one per loss and
seed, all else being equal, and measures on other lists of the same world. Which loss is better on real texts it does
not know: it shows whether a loss does what it is meant to do, and when.

The claims of the papers whose losses are here are tests in the folder ``tests/effects``. Needs torch (extra ``local``).

>>> from shortlist.effects import Cross, Matching, Teacher, Training, compare
>>> from shortlist.losses import MSE, MarginMSE
>>> shifted = Matching(teacher=Teacher(offset=6.0))
>>> found = compare({"margin": MarginMSE("all"), "point": MSE()}, shifted, Cross(), seeds=[0], training=Training(100))
>>> found.mean("margin") > found.mean("point") + 0.1
True
"""

from .architectures import Cross, Dot, LateInteraction
from .compare import Comparison, compare, measured
from .fit import Training, fit
from .matching import Matching
from .opinions import Opinions
from .teacher import Teacher
from .values import Architecture, Generator, Lists, Sample, Weights
from .views import TwoViews

__all__ = [
    "Architecture",
    "Comparison",
    "Cross",
    "Dot",
    "Generator",
    "LateInteraction",
    "Lists",
    "Matching",
    "Opinions",
    "Sample",
    "Teacher",
    "Training",
    "TwoViews",
    "Weights",
    "compare",
    "fit",
    "measured",
]
