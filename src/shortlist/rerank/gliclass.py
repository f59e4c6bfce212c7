"""One encoder pass scores up to 25 passages against the query, as a zero-shot classifier scores labels; a fast filter.

Source: Stepanov et al. 2025, arXiv 2508.07662 (GLiClass).

Passages are the labels, the query is the text. A passage's number depends on the others beside it and on their order,
so it is not compared across passes: windows of 25 carry the best 10 up. ``times`` above 1 averages shuffled starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GroupBackend, Schedule
from ..drive import Scheduled
from ..schedules import RepeatOrders, SlidingWindow
from ..scorers import Grouped
from ._language_model import opened

paradigm = "listwise"
extra = "gliclass"


def build(
    *,
    model: str | None = None,
    backend: GroupBackend | None = None,
    options: Mapping[str, Any] | None = None,
    size: int = 25,
    stride: int = 15,
    times: int = 1,
    seed: int = 0,
) -> Scheduled:
    """model, options: of ``GLiClass``. size: passages a pass, as trained. times, seed: shuffled starts, if above 1."""
    windows: Schedule = SlidingWindow(size, stride)
    schedule = windows if times == 1 else RepeatOrders(windows, times, seed)
    given = {**({"most": size} if backend is None else {}), **(options or {})}
    return Scheduled(Grouped(opened(model, backend, given, opens="GLiClass")), schedule)
