"""Pointwise log-odds of true against false at the first decoder step.

Source: Nogueira et al. 2020, arXiv 2003.06713 (monoT5).

Multilingual checkpoints were trained with other words; those of the known ones (``WORDS``) are taken by the model's
name, of any other ``true`` and ``false``, unless yes and no are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import YesNo
from ..schedules import Map
from ._language_model import asking

paradigm = "pointwise"
extra = "local"

TRUE, YES, SIM = ("true", "false"), ("yes", "no"), ("sim", "não")
WORDS = {
    **dict.fromkeys(("mt5-base-en-msmarco", "mt5-base-en-pt-msmarco-v1", "mt5-base-en-pt-msmarco-v2"), YES),
    **dict.fromkeys(("mt5-base-mmarco-v1", "mt5-base-mmarco-v2"), YES),
    **dict.fromkeys(("ptt5-base-pt-msmarco-10k-v1", "ptt5-base-pt-msmarco-10k-v2"), SIM),
    **dict.fromkeys(("ptt5-base-pt-msmarco-100k-v1", "ptt5-base-pt-msmarco-100k-v2"), SIM),
    **dict.fromkeys(("ptt5-base-en-pt-msmarco-10k-v1", "ptt5-base-en-pt-msmarco-100k-v2"), SIM),
    # "false" is two pieces of mT5's vocabulary: the first is the mark of a word's begin, and that is what was trained
    **dict.fromkeys(("mt5-3B-mmarco-en-pt", "mt5-13b-mmarco-100k"), ("true", "\u2581")),
}
"""What unicamp-dl's checkpoints say for relevant and not relevant.

Source: ``prediction_tokens`` in castorini/pygaggle 08339dd, pygaggle/rerank/transformer.py (Apache-2.0)."""


def words_of(model: str | None) -> tuple[str, str]:
    """The words of a model by its hub name, or by the name of its folder when that is the checkpoint's.

    >>> words_of("unicamp-dl/mt5-base-mmarco-v2"), words_of("castorini/monot5-base-msmarco")
    (('yes', 'no'), ('true', 'false'))
    """
    return WORDS.get((model or "").rstrip("/").rpartition("/")[2], TRUE)


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "monot5",
    yes: str | None = None,
    no: str | None = None,
) -> Scheduled:
    """model, options: see ``_language_model``. yes, no: the words; None: those that the model was trained with."""
    known_yes, known_no = words_of(model)
    return Scheduled(asking(prompt, YesNo(yes or known_yes, no or known_no), model, backend, options), Map())
