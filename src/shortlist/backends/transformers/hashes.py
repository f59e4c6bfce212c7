"""What identifies a model folder: a hash of the files that decide its numbers."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

_DECISIVE = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")


def files_digest(folder: str | Path) -> str:
    """The first 16 hexadecimal digits of a SHA-256 over names and contents; other places do not change it.

    Every byte of the weights is read once per process, about a second per gigabyte.
    """
    files = [p for p in sorted(Path(folder).iterdir()) if p.suffix in _DECISIVE and p.is_file()]
    stamps = tuple((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files)
    return _hashed(stamps)


@lru_cache(maxsize=32)
def _hashed(stamps: tuple[tuple[str, int, int], ...]) -> str:
    total = hashlib.sha256()
    for name, _, _ in stamps:
        path = Path(name)
        total.update(path.name.encode() + b"\0")
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:16]
