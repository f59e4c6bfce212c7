"""The folder of everything, as the tests of ingestion make it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def everything(tmp_path: Path, script: Callable[[str], ModuleType]) -> Path:
    """A folder with good and bad files of every kind."""
    return Path(script("tests/ingest/files").folder_of_everything(tmp_path / "docs"))
