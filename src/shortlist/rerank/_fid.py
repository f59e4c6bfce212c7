"""What the fusion-in-decoder methods share: the options of a T5 that cuts every text at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def cut_at(text_tokens: int | None, model: str | None, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The options with ``text_tokens``, unless they say otherwise or a backend, which has its own, is used.

    >>> cut_at(150, "folder", {"device": "cpu"})
    {'text_tokens': 150, 'device': 'cpu'}
    """
    own = {} if model is None else {"text_tokens": text_tokens}
    return {**own, **(options or {})}
