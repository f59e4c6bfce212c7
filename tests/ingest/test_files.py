"""What is found under a path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shortlist.core.errors import InputError
from shortlist.data.ingest import find, place


def test_a_folder_lists_files_and_what_it_leaves_out(everything: Path) -> None:
    files, skipped = find(everything)
    names = [f.name for f in files]
    assert names == sorted(names)
    assert {"deep/er/paper.pdf", "deep/page.html", "guide.md", "list.jsonl", "plain.txt", "table.csv"} <= set(names)
    assert not [n for n in names if "hidden" in n or ".git" in n]
    assert [str(s) for s in skipped] == ["photo.png: unknown kind of file .png"]


def test_loops_and_broken_links_are_safe(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("x")
    (tmp_path / "real" / "loop").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "real")
    (tmp_path / "broken.txt").symlink_to(tmp_path / "nowhere.txt")
    files, skipped = find(tmp_path)
    assert [f.name for f in files] == ["real/a.txt"]
    assert [str(s) for s in skipped] == ["broken.txt: a broken link"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_listed(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    assert [s.path for s in find(tmp_path)[1]] == ["closed"]


def test_a_beir_folder_is_its_corpus(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv", "notes.md"):
        (tmp_path / name).write_text("{}")
    assert [f.name for f in find(tmp_path)[0]] == ["corpus.jsonl"]


def test_wrong_paths_are_clear(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        find(tmp_path / "none")
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(InputError, match=r"cannot read this kind of file; known: \.txt"):
        find(tmp_path / "a.docx")


def test_places_in_words() -> None:
    assert place({"file": "a.txt", "line": 3}) == "a.txt:3"
    assert place({"file": "a.pdf", "page": 1, "last_page": 2, "passage": 1, "passages": 2}) == (
        "a.pdf, page 1-2 (passage 1 of 2)"
    )
