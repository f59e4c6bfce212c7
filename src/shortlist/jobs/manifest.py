"""The record that makes a number repeatable: versions, configuration, data, cost. Written beside every output."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.params import describe, digest

PACKAGES = (
    "shortlist",
    "numpy",
    "onnxruntime",
    "openvino",
    "tokenizers",
    "bm25s",
    "PyStemmer",
    "torch",
    "transformers",
)


def file_digest(path: Path | str) -> str:
    """SHA-256 of a file's bytes; of a folder, of its files' relative names and bytes. ``-`` (standard input) has
    none."""
    path = Path(path)
    if str(path) == "-":
        return "standard input"
    if path.is_dir():
        return _combined({str(f.relative_to(path)): file_digest(f) for f in sorted(path.rglob("*")) if f.is_file()})
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest(stage: object, *, inputs: Mapping[str, Path | str], **facts: Any) -> dict[str, Any]:
    """Plain data: versions and machine, the stage with its parameters and digest, input digests, and the given
    facts."""
    return {
        "versions": {"python": sys.version.split()[0], **versions()},
        "machine": {"system": platform.system(), "processor": platform.machine()},
        "stage": describe(stage),
        "stage_digest": digest(stage),
        "inputs": {name: {"path": str(path), "sha256": file_digest(path)} for name, path in inputs.items()},
        **facts,
    }


def versions() -> dict[str, str]:
    """The installed packages that can change a number."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _combined(digests: Mapping[str, str]) -> str:
    return hashlib.sha256("\n".join(f"{name} {digest}" for name, digest in digests.items()).encode()).hexdigest()
