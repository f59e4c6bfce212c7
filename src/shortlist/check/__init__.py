"""The public conformance suite: what every reranker and every backend must hold.

    from shortlist.check import check_reranker
    check_reranker(my_reranker)                      # raises CheckFailed with all findings

In pytest, parametrise over ``RERANKER_CHECKS``, or over ``registered()`` for all methods that are installed.
"""

from .data import SIZES, make_ranking
from .registered import Registered, registered
from .rerankers import RERANKER_CHECKS, CheckFailed, check_reranker, checks_for

__all__ = [
    "RERANKER_CHECKS",
    "SIZES",
    "CheckFailed",
    "Registered",
    "check_reranker",
    "checks_for",
    "make_ranking",
    "registered",
]
