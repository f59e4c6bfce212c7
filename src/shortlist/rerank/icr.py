"""In-context: a model reads the whole list, and the attention that each passage gets from the query is its score.

Source: Chen et al. 2024, arXiv 2410.02642 (ICR).

Nothing is generated: one pass over the list, and a second one of the query's tokens alone for calibration. The list is
shown from its end, as in the authors' runs. Longer lists than the model's context: ``window`` and ``stride``, which the
authors found worse than the whole list. Prompts: ``icr`` (their wording for retrieval), ``icr-qa`` (for questions), and
both with ``-mistral`` for every family but Llama.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import AttentionBackend
from ..drive import Scheduled
from ..prompts import load_prompt
from ..schedules import Once, SlidingWindow
from ..scorers.attention import InContext, Mode
from ._language_model import opened, prompt_for

paradigm = "listwise"
extra = "local"


def build(
    *,
    model: str | None = None,
    backend: AttentionBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "icr",
    mode: Mode = "masked_NA_calibration",
    reverse: bool = True,
    window: int | None = None,
    stride: int = 10,
) -> Scheduled:
    """model: a folder or hub name. backend: used instead. options: ``context`` (tokens of a list) and those of
    ``AttentionLM``. mode: see ``scorers.attention.MODES``. reverse: show the list from its end. window: passages at
    once; None is the whole list."""
    given = dict(options or {})
    context = given.pop("context", None)
    reader: Any = opened(model, backend, given, opens="AttentionLM")
    scorer = InContext(prompt_for(load_prompt(prompt), reader, context), reader, mode, reverse)
    return Scheduled(scorer, Once() if window is None else SlidingWindow(window, stride))
