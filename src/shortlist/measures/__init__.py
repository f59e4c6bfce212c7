"""Effectiveness measures by ir-measures' names, computed as trec_eval computes them; pure Python, no dependency.

The conventions, all trec_eval 9's: documents stand by 32-bit score downwards, equal scores by document id downwards,
and the rank column counts for nothing; an unjudged document is not relevant; a document of negative grade is in the
pool but not judged, so not relevant either, and ``Bpref`` and ``infAP`` pass over it (``Judged`` counts it as judged,
as ir-measures does); a query for which nothing relevant is known gets 0 and stays in the mean.

>>> from shortlist.measures import Graded, parse
>>> parse("nDCG@10").compute(Graded(n=2, positions=(1,), grades=(1,), pool=(1,)))
0.6309297535714575
"""

from .external import external_values
from .graded import Graded, grade, tie_extremes
from .names import DEFAULT_MEASURES, Measure, parse, parse_all
from .order import order_single, tie_groups, trec_order
from .table import FORMULAS

__all__ = [
    "DEFAULT_MEASURES",
    "FORMULAS",
    "Graded",
    "Measure",
    "external_values",
    "grade",
    "order_single",
    "parse",
    "parse_all",
    "tie_extremes",
    "tie_groups",
    "trec_order",
]
