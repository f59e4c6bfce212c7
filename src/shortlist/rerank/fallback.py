"""Any methods as a chain for when one fails: each query goes on to the next method until one answers.

Source: none; a rule for running rerankers in production.

For example a language model, then a cross-encoder. When all fail, the first stage's order is left and the query is
``unscored``. ``status`` and ``reason`` of each result say which method answered and why the earlier ones did not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import ConfigError
from ..drive import Fallback
from ._stages import Written, built

paradigm = "fallback"

CHECK = {"stages": ["yes-no", "rankgpt"]}


def build(
    *,
    stages: Sequence[Written],
    model: str | None = None,
    options: Mapping[str, Any] | None = None,
    backend: Any = None,
) -> Fallback:
    """stages: names of methods in the order in which they are tried, or tables with ``method`` and its parameters.

    model, options: for the stages that ask a language model and name none. backend: used instead of models.
    """
    made = built(stages, model=model, options=options, backend=backend)
    if any(one.depth is not None for one in made):
        raise ConfigError("depth: a fallback chain gives every stage the whole list; use a cascade inside it")
    return Fallback(tuple(one.stage for one in made), tuple(one.name for one in made))
