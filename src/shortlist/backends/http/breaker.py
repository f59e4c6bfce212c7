"""A circuit breaker: an endpoint that is down is left alone for a while instead of being asked thousands of times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

State = Literal["closed", "open", "half-open"]


@dataclass
class Breaker:
    """Counts failures in a row. Closed: everything passes. After ``open_after`` failures it opens, and nothing passes
    for ``cool_down`` seconds; then one request passes (half-open), and its end closes or opens it again. answered: has
    the endpoint ever done so? An address that never did is more likely wrong than down. since: when the first of the
    failures in a row was.

    It reads no clock: whoever asks says what time it is. Used from one event loop, so it needs no lock.

    >>> breaker = Breaker(open_after=2, cool_down=10)
    >>> breaker.failed(0.0), breaker.failed(1.0), breaker.admit(5.0), breaker.admit(11.0), breaker.admit(11.0)
    (None, None, False, True, False)
    """

    open_after: int
    cool_down: float
    failures: int = field(init=False, default=0)
    state: State = field(init=False, default="closed")
    answered: bool = field(init=False, default=False)
    since: float = field(init=False, repr=False, default=0.0)
    _opened: float = field(init=False, repr=False, default=0.0)

    def admit(self, now: float) -> bool:
        """May a request be sent? True also claims the one trial of a half-open breaker."""
        if self.state == "open" and now - self._opened >= self.cool_down:
            self.state = "half-open"
            return True
        return self.state == "closed"

    def passed(self) -> None:
        """The endpoint answered."""
        self.failures, self.state, self.answered = 0, "closed", True

    def failed(self, now: float) -> None:
        """The endpoint did not answer, or not usably."""
        self.since = now if not self.failures else self.since
        self.failures += 1
        if self.state == "half-open" or self.failures >= self.open_after:
            self.state, self._opened = "open", now

    def trip(self, now: float) -> None:
        """Open it now: the endpoint is known to be away."""
        if self.state == "closed":
            self.state, self._opened = "open", now

    def abandoned(self) -> None:
        """The request said nothing (cancelled, or the endpoint is busy); a trial may be made again at once."""
        if self.state == "half-open":
            self.state = "open"

    def silent(self, now: float) -> float:
        """Seconds since the first of the failures in a row; 0 after an answer."""
        return now - self.since if self.failures else 0.0

    def left(self, now: float) -> float:
        """Seconds until a trial is allowed."""
        return max(0.0, self._opened + self.cool_down - now)
