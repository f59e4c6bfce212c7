"""Permutation self-consistency around any method: several shuffled starts, and the mean of the results.

Source: Tang et al. 2023, arXiv 2310.07712.

A wrapper rather than a parameter of every listwise method, so all of them have it, and setwise and pairwise ones too.
The paper takes the Kemeny-optimal order; this is Borda's mean rank. Costs ``times`` as many calls and no more
sequential steps. Equal documents end in an order that depends on the seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..core.errors import ConfigError
from ..drive import Scheduled
from ..schedules import RepeatOrders
from ._stages import built

paradigm = "listwise"
extra = "http or local"

STABLE = False  # each start has its own order of equal documents


def build(
    *,
    of: str = "rankgpt",
    times: int = 5,
    seed: int = 0,
    params: Mapping[str, Any] | None = None,
    model: str | None = None,
    options: Mapping[str, Any] | None = None,
    backend: Any = None,
) -> Scheduled:
    """of: the method that is repeated; params: its parameters. times: how many shuffled starts (the paper has 20).

    model, options, backend: as of the method.
    """
    (one,) = built([{**(params or {}), "method": of}], model=model, options=options, backend=backend)
    if not isinstance(one.stage, Scheduled):
        raise ConfigError(f"of={of!r}: has no single schedule that could be repeated; repeat its stages one by one")
    return replace(one.stage, schedule=RepeatOrders(one.stage.schedule, times, seed))
