"""The public conformance suite: what every reranker and every backend must hold.

    from shortlist.check import check_backend, check_reranker
    check_reranker(my_reranker)                      # raises CheckFailed with all findings
    check_backend(my_backend)

In pytest, parametrise over ``RERANKER_CHECKS``, over ``backend_checks(backend)``, or over ``registered()`` for all
methods that are installed.
"""

from .backends import (
    BACKEND_CHECKS,
    BackendCheck,
    Outcome,
    backend_checks,
    check_backend,
    examine_backend,
    examine_reranker,
)
from .data import SIZES, make_ranking
from .registered import Registered, registered
from .rerankers import RERANKER_CHECKS, CheckFailed, check_reranker, checks_for

__all__ = [
    "BACKEND_CHECKS",
    "RERANKER_CHECKS",
    "SIZES",
    "BackendCheck",
    "CheckFailed",
    "Outcome",
    "Registered",
    "backend_checks",
    "check_backend",
    "check_reranker",
    "checks_for",
    "examine_backend",
    "examine_reranker",
    "make_ranking",
    "registered",
]
