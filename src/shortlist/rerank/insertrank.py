"""Listwise order of the whole list at once, with the first stage's score beside every passage.

Source: Seetharaman et al. 2025, arXiv 2506.14086 (InsertRank).

100 passages need a model with a long context, and the option ``context=32768`` (or what it has) says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import Permutation
from ..schedules import Once
from ._language_model import asking

paradigm = "listwise"
extra = "http or local"

CHECK = {"options": {"context": 1_000_000}}  # the whole list goes into one prompt


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "insertrank",
) -> Scheduled:
    """model, options: see ``_language_model``; set the option ``context`` to the model's window."""
    return Scheduled(asking(prompt, Permutation(), model, backend, options), Once())
