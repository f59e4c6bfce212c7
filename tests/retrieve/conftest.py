"""The folder of everything, as the tests of ingestion make it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """A folder with good and bad files of every kind."""
    path = Path(__file__).parents[1] / "ingest" / "files.py"
    spec = importlib.util.spec_from_file_location("ingest_files", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Path(module.folder_of_everything(tmp_path / "docs"))
