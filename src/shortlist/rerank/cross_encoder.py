"""Pointwise relevance from a model that reads query and document together.

Any sequence-classification model of the BERT family, from a folder or by hub name. Every document is scored alone, so
scores of one model are comparable across queries; documents longer than the window are split and aggregated.

Source: Nogueira and Cho 2019, arXiv 1901.04085.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..backends.embedded import PairScorer
from ..core.protocols import PairBackend
from ..drive import Scheduled
from ..schedules import Map
from ..scorers import Pairs
from ..scorers.passages import Aggregate

paradigm = "pointwise"

DEFAULT = "cross-encoder/ms-marco-MiniLM-L6-v2"  # the field's usual small one; Apache-2.0


def build(
    *,
    model: str | Path = DEFAULT,
    backend: PairBackend | None = None,
    aggregate: Aggregate = "max",
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto",
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto",
    threads: int | None = None,
    max_length: int | None = None,
) -> Scheduled:
    """model: a folder, an ``.onnx`` file or a hub name (fetched with the ``local`` extra). backend: used instead."""
    if backend is None:
        backend = PairScorer(model, runtime=runtime, precision=precision, threads=threads, max_length=max_length)
    return Scheduled(Pairs(backend, aggregate), Map())
