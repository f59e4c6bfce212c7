"""Where this user's caches lie, for everything that keeps derived files outside the data's own folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The platform's cache folder of this package; the environment variable SHORTLIST_CACHE overrides it.

    ``~/.cache/shortlist`` (or XDG_CACHE_HOME) on Linux, ``~/Library/Caches/shortlist`` on macOS,
    ``%LOCALAPPDATA%/shortlist`` on Windows. It may not exist yet.
    """
    if chosen := os.environ.get("SHORTLIST_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "shortlist"
