"""Who scored the documents of a training file, as far as the manifest beside it says."""

from __future__ import annotations

import json
from pathlib import Path

from .mine import Mine

FIRST_STAGE = "the first stage; no teacher was asked"


def scored_by(path: str | Path) -> str:
    """``FIRST_STAGE`` for a file that ``mine`` wrote without a reranker; empty when nothing is known."""
    beside = Path(f"{path}.manifest.json")
    try:
        stage = json.loads(beside.read_text(encoding="utf-8"))["stage"]["type"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return FIRST_STAGE if stage == f"{Mine.__module__}:{Mine.__qualname__}" else ""
