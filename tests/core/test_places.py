from __future__ import annotations

import sys
from pathlib import Path

import pytest

from shortlist.core.places import cache_folder
from shortlist.data.places import place
from shortlist.retrieve._index import index_folder


def test_one_variable_moves_all_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chosen = tmp_path / "cache"
    monkeypatch.setenv("SHORTLIST_CACHE", str(chosen))
    assert cache_folder() == chosen
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).is_relative_to(chosen))  # nothing else is writable
    (tmp_path / "docs").mkdir()
    assert place(tmp_path / "docs" / "corpus.jsonl", ".offsets", None).is_relative_to(chosen)
    assert index_folder(tmp_path / "docs").is_relative_to(chosen)


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", Path("/somewhere/shortlist")),
        ("win32", "LOCALAPPDATA", Path("/somewhere/shortlist")),
        ("darwin", "HOME", Path("/somewhere/Library/Caches/shortlist")),
    ],
)
def test_the_platform_says_where(monkeypatch: pytest.MonkeyPatch, platform: str, variable: str, expected: Path) -> None:
    monkeypatch.delenv("SHORTLIST_CACHE", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, "/somewhere")
    assert cache_folder() == expected
