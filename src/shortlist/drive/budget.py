"""Limits on what one query may cost. A budget never raises: the plan stops and the best order so far is returned."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import ConfigError
from ..core.types import Usage


@dataclass(frozen=True)
class Budget:
    """Per query: calls (groups scored), tokens (prompt + completion, known after a call), seconds since the query
    began.

    Calls are counted before they are sent, so the limit holds exactly. Tokens and seconds are looked at between
    rounds, so one round may overshoot. ``None`` is no limit.

    A token budget limits only what counts its tokens (``Usage.tokens``). Cross-encoders without torch (``PairScorer``)
    do not, since they would have to tokenise twice, nor do endpoints that state no usage or a backend of your own
    without ``lengths``, ``measure`` or ``pair_tokens``: there it never stops anything; use calls or seconds.
    """

    calls: int | None = None
    tokens: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "seconds"):
            value = getattr(self, name)
            whole = name != "seconds"
            if value is not None and (value < 0 or (whole and value != int(value))):
                kind = ", whole" if whole else ""
                raise ConfigError(f"budget {name}={value}: expected 0 or more{kind}, or None for no limit")

    def allowed(self, wanted: int, calls: int, usage: Usage, elapsed: float) -> tuple[int, str]:
        """How many of ``wanted`` groups may be sent now, and why not all of them."""
        if self.tokens is not None and usage.tokens >= self.tokens:
            return 0, f"token budget of {self.tokens} used up ({usage.tokens})"
        if self.seconds is not None and elapsed >= self.seconds:
            return 0, f"time budget of {self.seconds:g} s used up"
        if self.calls is not None and calls + wanted > self.calls:
            return max(0, self.calls - calls), f"call budget of {self.calls} used up"
        return wanted, ""


NO_LIMIT = Budget()
