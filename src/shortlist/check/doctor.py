"""What works on this machine, found out by trying it: every finding is the result of doing the thing, not of looking.

A check returns its evidence or raises; nothing is reported as working because a package happens to be installed.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..core.errors import ShortlistError

State = Literal["ok", "absent", "FAILED"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. absent: an optional package is not installed, which is no fault."""

    what: str
    state: State
    evidence: str


def examine() -> Iterator[Finding]:
    """Try everything, one finding at a time. Slow ones take a second or two."""
    yield Finding("python", "ok", f"{sys.version.split()[0]} on {platform.system()} {platform.machine()}")
    yield Finding(
        "processors",
        "ok",
        f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} usable",
    )
    for what, attempt in (
        ("first stage: BM25", _bm25),
        ("embedded model", _embedded),
        ("default reranker", _rerank),
        ("temporary folder", _writable),
        ("extra openvino", lambda: _package("openvino", _openvino)),
        ("extra local: torch", lambda: _package("torch", _torch)),
        ("extra local: transformers", lambda: _package("transformers", None)),
        ("extra eval: ir-measures", lambda: _package("ir_measures", _ir_measures)),
    ):
        yield _try(what, attempt)


def _try(what: str, attempt: Callable[[], str]) -> Finding:
    began = time.perf_counter()
    try:
        evidence = attempt()
    except ModuleNotFoundError as error:
        return Finding(what, "absent", f"{error.name} is not installed")
    except (ShortlistError, ImportError, OSError, RuntimeError, ValueError) as error:
        return Finding(what, "FAILED", f"{type(error).__name__}: {error}")
    return Finding(what, "ok", f"{evidence} ({(time.perf_counter() - began) * 1000:.0f} ms)")


def _bm25() -> str:
    from ..core.types import Document
    from ..retrieve.bm25 import BM25

    documents = [Document("a", "a quick brown fox"), Document("b", "lazy dogs sleep")]
    (found,) = BM25(documents=documents)(["the dog sleeps"])
    if found.ids != ("b",):
        raise ValueError(f"asked for dogs, found {found.ids}")
    return "indexed two documents and found the right one"


def _embedded() -> str:
    from ..backends.embedded import Encoder

    encoder = Encoder()
    query, right, wrong = encoder.embed(["how to brew coffee", "making a cup of coffee", "parking fines"])
    if not query @ right > query @ wrong:
        raise ValueError("the model finds parking fines closer to coffee than coffee")
    return f"{encoder.choice.runtime} {encoder.choice.precision}: {encoder.choice.reason}"


def _rerank() -> str:
    from ..core.types import Candidate, Document, Query, Ranking
    from ..rerank.late_interaction import build

    documents = [Document("wrong", "parking fines in the city"), Document("right", "making a cup of coffee")]
    (done,) = build().rerank([Ranking(Query("q", "how to brew coffee"), tuple(map(Candidate, documents)))])
    if done.ids[0] != "right":
        raise ValueError(f"ranked {done.ids}")
    return "late-interaction ranked two documents rightly"


def _writable() -> str:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "probe").write_text("x")
    return f"written and read in {tempfile.gettempdir()}"


def _package(module: str, use: Callable[[], str] | None) -> str:
    importlib.import_module(module)
    version = importlib.metadata.version(module.replace("_", "-"))
    return f"{version}{', ' + use() if use else ', imported'}"


def _torch() -> str:
    import torch

    total = float((torch.ones(4) @ torch.ones(4)).item())
    if total != 4.0:
        raise ValueError(f"torch computes 1+1+1+1 = {total}")
    return f"computed; CUDA {'available' if torch.cuda.is_available() else 'not available'}"


def _openvino() -> str:
    import openvino

    return f"devices {', '.join(openvino.Core().available_devices)}"


def _ir_measures() -> str:
    import ir_measures

    value = ir_measures.calc_aggregate([ir_measures.RR], {"q": {"d": 1}}, {"q": {"d": 1.0}})[ir_measures.RR]
    if value != 1.0:
        raise ValueError(f"RR of a perfect run is {value}")
    return "computed"
