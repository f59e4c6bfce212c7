"""Pointwise cosine between query and document vectors, with the shipped encoder or any other.

Source: Reimers and Gurevych 2019, arXiv 1908.10084.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..backends.embedded import Encoder
from ..backends.embedded.folder import DEFAULT
from ..core.protocols import EmbedBackend
from ..drive import Scheduled
from ..schedules import Map
from ..scorers import Cosine
from ..scorers.passages import Aggregate

paradigm = "pointwise"


def build(
    *,
    model: str | Path = DEFAULT,
    backend: EmbedBackend | None = None,
    aggregate: Aggregate = "max",
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto",
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto",
    threads: int | None = None,
    max_length: int | None = None,
) -> Scheduled:
    """model: the shipped encoder's name, a folder or a hub name. backend: used instead of a model."""
    if backend is None:
        backend = Encoder(model, runtime=runtime, precision=precision, threads=threads, max_length=max_length)
    return Scheduled(Cosine(backend, aggregate), Map())
