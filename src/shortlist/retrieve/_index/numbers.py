"""The BM25 numbers over all shards of an index, and where each passage lies."""

from __future__ import annotations

import hashlib
import os
import shutil
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...core.errors import InputError
from .._postings import Postings
from ..bm25 import BM25
from .manifest import DamagedIndex, Manifest
from .shards import Shards, terms_of

POSTINGS = "postings-"


def build_numbers(folder: Path, manifest: Manifest) -> str:
    """Compute and write them; returns the name of their folder. Raises DamagedIndex when a shard is damaged."""
    numbers, starts = array("i"), array("q")

    def texts() -> Iterator[list[str]]:
        for number, path in enumerate(_paths(folder, manifest)):
            for terms, start in terms_of(path):
                numbers.append(number)
                starts.append(start)
                yield terms

    postings = Postings.build(texts(), k1=manifest.settings.k1, b=manifest.settings.b)
    fresh = folder / f"{POSTINGS}{os.getpid()}.tmp"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    postings.save(fresh)
    np.save(fresh / "shard.npy", np.frombuffer(numbers, np.int32))
    np.save(fresh / "start.npy", np.frombuffer(starts, np.int64))
    shards = "\n".join(path.name for path in _paths(folder, manifest))
    name = POSTINGS + hashlib.sha256(f"{postings.digest}\n{shards}".encode()).hexdigest()[:16]
    shutil.rmtree(folder / name, ignore_errors=True)
    fresh.rename(folder / name)
    return name


def load_numbers(folder: Path, manifest: Manifest) -> BM25:
    """A retriever over the index; arrays stay on disk. Raises DamagedIndex when something is missing or does not
    fit."""
    place = folder / manifest.postings
    try:
        postings = Postings.load(place)
        shard = np.load(place / "shard.npy", mmap_mode="r")
        start = np.load(place / "start.npy", mmap_mode="r")
    except (OSError, ValueError, EOFError, InputError) as error:
        raise DamagedIndex(f"{place.name}: {error}") from error
    if not manifest.passages == postings.documents == len(shard) == len(start):
        raise DamagedIndex(f"{place.name}: {postings.documents} passages, the manifest says {manifest.passages}")
    settings = manifest.settings
    store = Shards(_paths(folder, manifest), shard, start)
    return BM25.over(postings, store, language=settings.language, k1=settings.k1, b=settings.b)


def _paths(folder: Path, manifest: Manifest) -> list[Path]:
    return [folder / "shards" / e.shard for e in manifest.files.values() if e.passages]
