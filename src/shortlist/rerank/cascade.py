"""Any methods one after the other, each on the head of what the one before has ordered.

Source: Nogueira et al. 2019, arXiv 1910.14424 (multi-stage ranking); no method of its own.

The first stage reranks the whole list, each later one the first ``depth`` documents; those below keep their order.
Scores are rank-derived, since the stages' scores do not mix. A query that a stage cannot score is unscored, in the
order that the stages before it gave: put stages that may fail into ``fallback``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..pipeline import Head, Then
from ._stages import Written, built

paradigm = "cascade"

CHECK = {"stages": ["yes-no", {"method": "rankgpt", "depth": 30}]}


def build(
    *,
    stages: Sequence[Written],
    depth: int = 30,
    model: str | None = None,
    options: Mapping[str, Any] | None = None,
    backend: Any = None,
) -> Then:
    """stages: names of methods, or tables with ``method``, its parameters and, if need be, ``depth``; see ``_stages``.

    depth: how many documents each later stage sees, unless its table says. model, options: for the stages that ask a
    language model and name none. backend: used instead of models.
    """
    first, *later = built(stages, model=model, options=options, backend=backend)
    begin = first.stage if first.depth is None else Head(first.stage, first.depth)
    return Then((begin, *(Head(one.stage, depth if one.depth is None else one.depth) for one in later)))
