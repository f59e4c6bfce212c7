"""Listwise over five passages at a time by fusion-in-decoder, worst first, in a tournament with remembered matches.

Source: Yoon et al. 2024, arXiv 2402.15838 (ListT5), sections 3.2 and 3.3.

The model knows lists of five: where a match has fewer, others are shown along (see ``EliminationTournament``). An
answer that names no passage leaves the match in first-stage order; the authors' code takes its first passage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.protocols import GenerateBackend
from ..drive import Scheduled
from ..readouts import Permutation
from ..schedules import EliminationTournament
from ._fid import cut_at
from ._language_model import asking

paradigm = "listwise"
extra = "local"


def build(
    *,
    model: str | None = None,
    backend: GenerateBackend | None = None,
    options: Mapping[str, Any] | None = None,
    prompt: str = "listt5",
    survivors: int = 2,
    k: int = 10,
    fill: bool = True,
    text_tokens: int | None = 256,
) -> Scheduled:
    """model: a T5, from a folder or hub name. backend: used instead, with its own text_tokens. options: see
    ``FusionInDecoder``.

    survivors: the paper's r, 1 or 2 of a match go on. k: ranks that are settled. fill: matches always have five.
    text_tokens: of each text; the authors take 256 for short passages, 512 or 1024 for longer ones.
    """
    options = cut_at(text_tokens, model, options)
    readout = Permutation(reverse=True, tag="", form="bare")
    scorer = asking(prompt, readout, model, backend, options, opens="FusionInDecoder")
    return Scheduled(scorer, EliminationTournament(5, survivors, k, fill))
