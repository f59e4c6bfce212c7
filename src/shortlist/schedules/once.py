"""The whole list in one group: in-context and long-context rerankers, and listwise models whose window holds it all."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.plans import Outcome, Round
from ..core.protocols import Plan
from ._order import any_score, by_score


@dataclass(frozen=True)
class Once:
    """All documents in one call. Whether they fit is the scorer's business: see its ``max_group``."""

    @property
    def needs_across(self) -> bool:
        return False

    @property
    def group_size(self) -> None:
        return None

    def exact_top(self, n: int) -> int:
        return n

    def plan(self, n: int) -> Plan:
        everything = tuple(range(n))
        if not n:
            return Outcome(())
        (scores,) = yield Round((everything,), everything)
        return Outcome(tuple(by_score(everything, scores)), any_score(scores))
