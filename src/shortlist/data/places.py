"""Where derived files go: the folder that the caller names, else beside the data, else the user's cache folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..core.errors import InputError
from ..core.places import cache_folder


def place(path: Path, suffix: str, cache: str | os.PathLike[str] | None) -> Path:
    """Where the file derived from ``path`` lies or will lie. Outside the data's own folder its name carries a hash of
    the whole path.

    Raises InputError when no folder can be written.
    """
    path = path.resolve()
    name = f"{path.stem}-{hashlib.sha256(str(path).encode()).hexdigest()[:12]}{suffix}"
    if cache is not None:
        Path(cache).mkdir(parents=True, exist_ok=True)
        return Path(cache) / name
    beside = path.with_name(f".{path.name}{suffix}")
    if beside.exists() or os.access(path.parent, os.W_OK):
        return beside
    folder = cache_folder() / "collections"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"no folder for files derived from {path}: {error}; give one with cache=") from error
    return folder / name
