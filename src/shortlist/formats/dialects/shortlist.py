"""Our own rankings, one per line, lossless: texts, titles, scores, first stage, metadata, status, scale, trace.

Source: ``shortlist.formats.jsonl``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from ...core.types import Ranking
from .. import features
from ..jsonl import read_jsonl, write_jsonl
from ..lines import Bad, Readable
from ..sample import Sample

kind = "rankings"
holds = features.ALL
suffixes = (".jsonl",)


def sniff(sample: Sample) -> bool:
    """The version field is ours alone."""
    return sample.has("shortlist", "query")


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per line."""
    return read_jsonl(path, bad=bad)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """One ranking per line."""
    write_jsonl(rankings, path)
