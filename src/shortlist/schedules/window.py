"""Back-to-front sliding window. Source: Sun et al. 2023, arXiv 2304.09542 (RankGPT).

The reference loop (``while start >= 0``) never reaches the head of a list that is shorter than the window or does not
divide evenly: of 25 documents the first 5 are never looked at. Here the last window always starts at rank 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import ConfigError
from ..core.plans import Outcome, Round
from ..core.protocols import Plan
from ._order import at_least, by_score


@dataclass(frozen=True)
class SlidingWindow:
    """Windows of ``size`` moved up by ``stride``; each pass carries the best ``size - stride`` to the top.

    Strictly sequential. A window whose answer says nothing keeps its order. Later passes start from the result of the
    pass before. Lists of one document need no call.

    >>> SlidingWindow().starts(25)
    (5, 0)
    """

    size: int = 20  # RankGPT's setting; 60 and 80 were worse on DL19
    stride: int = 10
    passes: int = 1

    def __post_init__(self) -> None:
        for name, minimum in (("size", 2), ("stride", 1), ("passes", 1)):
            at_least(self, name, minimum)
        if self.stride > self.size:
            raise ConfigError(
                f"SlidingWindow: stride {self.stride} is larger than size {self.size}; documents between windows "
                "would never be looked at"
            )

    @property
    def needs_across(self) -> bool:
        return False

    @property
    def group_size(self) -> int:
        return self.size

    def starts(self, n: int) -> tuple[int, ...]:
        """Where the windows of one pass over ``n`` documents start, in the order they are asked."""
        if n < 2:
            return ()
        return (*range(n - self.size, 0, -self.stride), 0)

    def exact_top(self, n: int) -> int:
        exact = 0
        for _ in range(self.passes if n > 1 else 0):
            # A window that starts inside the exact head holds the best of all that follow it, so it extends the head.
            start = max(s for s in self.starts(n) if s <= exact)
            exact = n if start + self.size >= n else max(exact, start + self.size - self.stride)
        return exact if n > 1 else n

    def plan(self, n: int) -> Plan:
        order = list(range(n))
        for _ in range(self.passes):
            for start in self.starts(n):
                window = order[start : start + self.size]
                (scores,) = yield Round((tuple(window),), tuple(order))
                order[start : start + self.size] = by_score(window, scores)
        return Outcome(tuple(order))
