"""Where an index lies: beside what it indexes, or in the user's cache folder when that cannot be written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ...core.errors import InputError
from ...core.places import cache_folder

NAME = ".shortlist"


def index_folder(path: Path, chosen: str | os.PathLike[str] | None = None) -> Path:
    """``chosen`` when given; else ``.shortlist`` in a folder, ``.shortlist/NAME`` beside a file; else the cache folder.

    The folder exists afterwards and can be written. Raises InputError when it cannot be made.
    """
    if chosen is not None:
        folder = Path(chosen)
        if not _usable(folder):
            raise InputError(f"{folder}: cannot be written; give another folder for the index")
        return folder
    beside = path / NAME if path.is_dir() else path.parent / NAME / path.name
    if _usable(beside):
        return beside
    folder = cache_folder() / "index" / hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    if not _usable(folder):
        raise InputError(f"neither {beside} nor {folder} can be written; give a folder for the index")
    return folder


def _usable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
