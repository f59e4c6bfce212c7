"""Several vectors per passage, compared with the anchors that a decoder makes of the whole list in one step.

Source: MVP, arXiv 2509.07485 (EMNLP 2025).

All passages go into one call, and their order does not matter: scores are real numbers, nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.errors import ConfigError
from ..core.protocols import ViewsBackend
from ..drive import Scheduled
from ..prompts import load_prompt
from ..schedules import Once
from ..scorers.multi_view import MultiView
from ._fid import cut_at
from ._language_model import opened, prompt_for

paradigm = "listwise"
extra = "local"


def build(
    *,
    model: str | None = None,
    backend: ViewsBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "mvp",
    views: int = 4,
    text_tokens: int | None = 256,
) -> Scheduled:
    """model: a T5, from a folder or hub name. backend: used instead, with its own text_tokens. options: see
    ``FusionInDecoder``.

    views: as many as the checkpoint was trained with. text_tokens: of each text; the authors take 256 for short
    passages, 512 or 1024 for longer ones.
    """
    if views < 1:
        raise ConfigError(f"views={views}: expected 1 or more, as the model was trained with")
    given = cut_at(text_tokens, model, options)
    context = given.pop("context", None)
    reader: ViewsBackend = opened(model, backend, given, opens="FusionInDecoder")
    tokens = tuple(f"<extra_id_{i}>" for i in range(views))
    return Scheduled(MultiView(prompt_for(load_prompt(prompt), reader, context), reader, tokens), Once())
