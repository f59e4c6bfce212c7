"""Cosine + MaxSim over token states + a little of the first stage: the default, with a model inside the package.

No training, no network, no GPU: all-MiniLM-L6-v2 reads every passage alone, so its states are computed once and kept.
The score is scaled over one candidate list: it orders documents of one query and means nothing across queries.

Source: Khattab and Zaharia 2020, arXiv 2004.12832 (MaxSim, equation 3).

The sum is this package's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..backends.embedded import CachedEncoder, Encoder
from ..backends.embedded.folder import DEFAULT
from ..core.protocols import TokenStateBackend
from ..drive import Scheduled
from ..schedules import Once
from ..scorers import LateInteraction
from ..scorers.passages import Aggregate

paradigm = "late interaction"

CHECK = {"first_stage": 0.0}  # with a weight above 0 the first stage has a say, which an oracle test must not give it


def build(
    *,
    model: str | Path = DEFAULT,
    backend: TokenStateBackend | None = None,
    first_stage: float = 0.2,
    aggregate: Aggregate = "max",
    cache: str | Path = "user",
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto",
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto",
    threads: int | None = None,
    max_length: int | None = None,
) -> Scheduled:
    """model: the shipped encoder's name, a folder or a hub name. backend: used instead of a model.

    first_stage: weight of the first stage's score. cache: where passage states are kept, so that a passage is encoded
    once: ``user`` is the user's cache folder (or SHORTLIST_CACHE), ``off`` keeps none, anything else is a folder.
    """
    if backend is None:
        encoder = Encoder(model, runtime=runtime, precision=precision, threads=threads, max_length=max_length)
        folder = None if cache == "user" else Path(cache)
        backend = encoder if cache == "off" else CachedEncoder(encoder, folder)
    return Scheduled(LateInteraction(backend, first_stage, aggregate), Once())
