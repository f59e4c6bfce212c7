"""The folder of everything, and a short way to read one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from shortlist import Document
from shortlist.data.ingest import FileReport, Splitting, read_passages, source_file
from shortlist.data.ingest.files import kind_of

Reader = Callable[..., tuple[list[Document], FileReport]]


@pytest.fixture(scope="session")
def samples(script: Callable[[str], ModuleType]) -> ModuleType:
    """The module that makes the files."""
    return script("tests/ingest/files")


@pytest.fixture
def everything(tmp_path: Path, samples: ModuleType) -> Path:
    """A folder with good and bad files of every kind."""
    return Path(samples.folder_of_everything(tmp_path / "docs"))


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Write a file of the given name and contents, read its passages."""

    def reader(name: str, data: bytes | str, **splitting: int) -> tuple[list[Document], FileReport]:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        kind = kind_of(name)
        assert kind is not None
        report = FileReport(name)
        with path.open("rb") as stream:
            return list(read_passages(source_file(path, name, kind), stream, report, Splitting(**splitting))), report

    return reader
