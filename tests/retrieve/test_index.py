"""The index on disk: only what changed is read, and no damage or kill makes it wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from shortlist.core.errors import ConfigError, InputError
from shortlist.retrieve._index import Index, index_folder
from shortlist.retrieve._search import Searcher

OLD = 1_600_000_000  # seconds: long before the test, so that time stamps are settled


class Spy:
    """Opens files and remembers which."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def __call__(self, path: Path) -> BinaryIO:
        self.opened.append(path.name)
        return path.open("rb")

    def since(self) -> list[str]:
        names, self.opened = sorted(set(self.opened)), []
        return names


def put(root: Path, name: str, text: str, when: int = OLD) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")
    os.utime(root / name, (when, when))


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    put(root, "a.txt", "fleas live a hundred days")
    put(root, "b.md", "# Cats\n\ncats have fleas")
    put(root, "sub/c.jsonl", '{"id": "1", "text": "dogs bark"}\n{"id": "2", "text": "birds sing of fleas"}')
    put(root, "empty.txt", "")
    return root


def found(index: Index, query: str) -> list[tuple[str, float | None]]:
    (ranking,) = (index.retriever % 100)([query])
    return [(c.id, c.score) for c in ranking.candidates]


def same_as_new(index: Index, docs: Path, tmp_path: Path) -> None:
    """An index that was brought up to date answers as one made from nothing."""
    new = Index.open(docs, folder=tmp_path / f"new{time.monotonic_ns()}")
    assert new.manifest.digest == index.manifest.digest
    for query in ("fleas", "cats dogs", "hundred birds", "cows", "zebra"):
        assert found(index, query) == found(new, query)


def test_only_what_changed_is_read(docs: Path, tmp_path: Path) -> None:
    spy = Spy()
    first = Index.open(docs, opener=spy)
    assert spy.since() == ["a.txt", "b.md", "c.jsonl", "empty.txt"]
    assert len(spy.opened) == 0
    assert set(first.report.read) == {"a.txt", "b.md", "sub/c.jsonl", "empty.txt"} and first.report.rebuilt
    assert {i for i, _ in found(first, "fleas")} == {"b.md", "a.txt", "sub/c.jsonl:2"}

    again = Index.open(docs, opener=spy)
    assert spy.since() == [] and again.report.read == () and again.report.kept == 4 and not again.report.rebuilt
    assert found(again, "fleas") == found(first, "fleas")

    os.utime(docs / "a.txt", (OLD + 9, OLD + 9))  # touched: hashed, not parsed
    touched = Index.open(docs, opener=spy)
    assert spy.since() == ["a.txt"] and touched.report.read == () and not touched.report.rebuilt
    assert Index.open(docs, opener=spy).report.kept == 4 and spy.since() == []

    put(docs, "b.md", "# Cows\n\ncows give milk", OLD + 20)
    changed = Index.open(docs, opener=spy)
    assert spy.since() == ["b.md"] and changed.report.read == ("b.md",) and changed.report.rebuilt
    assert found(changed, "cats") == [] and [i for i, _ in found(changed, "cows")] == ["b.md"]
    same_as_new(changed, docs, tmp_path)

    put(docs, "new.txt", "zebra")
    (docs / "a.txt").unlink()
    moved = Index.open(docs, opener=spy)
    assert spy.since() == ["new.txt"] and moved.report.removed == ("a.txt",)
    assert found(moved, "hundred") == [] and [i for i, _ in found(moved, "zebra")] == ["new.txt"]
    same_as_new(moved, docs, tmp_path)

    put(docs, "empty.txt", "no longer empty zebra", OLD + 30)
    assert len(found(Index.open(docs, opener=spy), "zebra")) == 2 and spy.since() == ["empty.txt"]


def test_a_file_changed_within_its_time_stamp_is_noticed(docs: Path) -> None:
    now = time.time_ns()
    (docs / "a.txt").write_text("first words here")
    os.utime(docs / "a.txt", ns=(now, now))
    Index.open(docs)
    (docs / "a.txt").write_text("other words here")  # the same size
    os.utime(docs / "a.txt", ns=(now, now))
    assert [i for i, _ in found(Index.open(docs), "other")] == ["a.txt"]


def test_nothing_is_left_behind(docs: Path) -> None:
    for n in range(3):
        put(docs, "a.txt", f"version {n}", OLD + n)
        index = Index.open(docs)
    shards = {e.shard for e in index.manifest.files.values() if e.shard}
    assert {p.name for p in (index.folder / "shards").iterdir()} == shards
    numbers = [p.name for p in index.folder.iterdir() if p.name.startswith("postings-")]
    assert numbers == [index.manifest.postings]
    assert not list(index.folder.glob("*.tmp"))


def test_settings_are_kept_and_a_change_builds_again(docs: Path) -> None:
    german = Index.open(docs, language="de", window=50, overlap=5)
    again = Index.open(docs)
    assert again.manifest.settings == german.manifest.settings and not again.report.rebuilt
    english = Index.open(docs, language="english")
    assert english.report.rebuilt and "language is 'english', was 'german'" in english.report.notes[0]
    assert english.manifest.settings.window == 50
    with pytest.raises(ConfigError, match="klingon"):
        Index.open(docs, language="klingon")


DAMAGE = {
    "manifest is rubbish": lambda f: (f / "manifest.json").write_text("{"),
    "manifest is another thing": lambda f: (f / "manifest.json").write_text('{"files": [1]}'),
    "manifest is gone": lambda f: (f / "manifest.json").unlink(),
    "numbers are gone": lambda f: next(f.glob("postings-*/data*")).unlink(),
    "numbers are cut": lambda f: os.truncate(next(f.glob("postings-*/start.npy")), 100),
    "vocabulary is rubbish": lambda f: next(f.glob("postings-*/vocab*")).write_text("[["),
    "all shards are gone": lambda f: [p.unlink() for p in (f / "shards").iterdir()],
    "shards are cut": lambda f: [os.truncate(p, p.stat().st_size // 2) for p in (f / "shards").iterdir()],
    "shards are changed": lambda f: [_scribble(p) for p in (f / "shards").iterdir()],
    "another format": lambda f: (f / "manifest.json").write_text(
        (f / "manifest.json").read_text().replace('"format": 1', '"format": 0')
    ),
}


def _scribble(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"text"', b'"tXxt"').replace(b"flea", b"FLEA"))


@pytest.mark.parametrize("harm", DAMAGE)
def test_damage_is_built_again_with_a_note(docs: Path, tmp_path: Path, harm: str) -> None:
    expected = found(Index.open(docs), "fleas")
    DAMAGE[harm](docs / ".shortlist")  # type: ignore[no-untyped-call]
    searcher = Searcher.open(docs, reranker=None)
    ranking = searcher.search(_query("fleas")).ranking
    assert [(c.id, c.score) for c in ranking.candidates] == expected
    if harm not in ("manifest is gone",):
        assert any("again" in note for note in searcher.index.report.notes)
    same_as_new(searcher.index, docs, tmp_path)


def _query(text: str):  # type: ignore[no-untyped-def]
    from shortlist import Query

    return Query("q1", text)


def test_damaged_shards_are_read_again_when_numbers_are_rebuilt(docs: Path, tmp_path: Path) -> None:
    index = Index.open(docs)
    for shard in (index.folder / "shards").iterdir():
        _scribble(shard)
    put(docs, "new.txt", "zebra fleas")
    mended = Index.open(docs)
    assert any("was read again" in note for note in mended.report.notes)
    same_as_new(mended, docs, tmp_path)


def test_a_kill_at_any_moment_leaves_a_good_index(docs: Path, tmp_path: Path) -> None:
    for n in range(150):
        put(docs, f"many/{n}.txt", f"text number {n} about fleas and cows")
    code = f"from shortlist.retrieve._index import Index; print('go', flush=True); Index.open({str(docs)!r})"
    for n, wait in enumerate((0.0, 0.02, 0.05, 0.1, 0.15, 0.2)):
        put(docs, "a.txt", f"fleas version {n}", OLD + n)
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    spy = Spy()
    index = Index.open(docs, opener=spy)
    same_as_new(index, docs, tmp_path)


def test_finished_shards_of_a_killed_run_are_used(docs: Path) -> None:
    index = Index.open(docs)
    (index.folder / "manifest.json").unlink()  # as if killed before it was written
    again = Index.open(docs)
    assert again.report.read == () and again.report.rebuilt


def test_two_processes_at_once(docs: Path, tmp_path: Path) -> None:
    for n in range(40):
        put(docs, f"many/{n}.txt", f"text number {n} about fleas and cows")
    code = f"from shortlist.retrieve._index import Index; index = Index.open({str(docs)!r})"
    code += "; print(len((index.retriever % 99)(['cows'])[0].ids))"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [p.communicate()[0].strip() for p in processes] == ["40"] * 3
    same_as_new(Index.open(docs), docs, tmp_path)


def test_where_the_index_lies(docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Index.open(docs).folder == docs / ".shortlist"
    assert (docs / ".shortlist" / ".gitignore").read_text() == "*\n"
    assert Index.open(docs / "a.txt").folder == docs / ".shortlist" / "a.txt"
    assert Index.open(docs).report.kept == 4  # the index beside a file does not disturb the folder's
    assert Index.open(docs, folder=docs / "here").folder == docs / "here"
    assert "here" not in " ".join(Index.open(docs, folder=docs / "here").manifest.files)
    monkeypatch.setenv("SHORTLIST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("shortlist.retrieve._index.location._usable", lambda f: str(tmp_path / "cache") in str(f))
    assert str(index_folder(docs)).startswith(str(tmp_path / "cache" / "index"))
    with pytest.raises(InputError, match="cannot be written"):
        index_folder(docs, tmp_path / "other")


def test_a_single_file_keeps_the_ids_of_its_records(docs: Path) -> None:
    index = Index.open(docs / "sub" / "c.jsonl")
    assert [i for i, _ in found(index, "fleas dogs")] == ["1", "2"]


def test_nothing_to_index_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to index: no files in it"):
        Index.open(tmp_path)
    put(tmp_path, "a.txt", "")
    put(tmp_path, "b.png", "")
    with pytest.raises(
        InputError, match=r"nothing to index \(a.txt: no text in it; b.png: unknown kind of file .png\)"
    ):
        Index.open(tmp_path)


def test_every_kind_is_found_and_what_is_not_is_listed(everything: Path) -> None:
    index = Index.open(everything)
    query = "fleas guide hard page json quoted naive bits café sixteen"
    good = {"plain.txt", "guide.md", "deep/page.html", "deep/er/paper.pdf", "list.jsonl", "table.csv"}
    assert {i.split(":")[0] for i, _ in found(index, query)} == good | {"cp1252.txt", "utf16.txt"}
    left_out = {str(s).split(":")[0] for s in index.report.skipped}
    bad = {"empty.txt", "blank.md", "binary.txt", "locked.pdf", "scan.pdf", "broken.pdf", "photo.png"}
    assert left_out == bad | {"list.jsonl"}
    again = Index.open(everything)
    assert again.report.skipped == index.report.skipped and again.report.notes == index.report.notes
    record = json.loads((index.folder / "manifest.json").read_text())
    assert record["digest"] == index.manifest.digest
    (pdf,) = [d for r in (index.retriever % 9)(["second page"]) for d in r.documents if d.id.endswith(".pdf")]
    assert (pdf.title, pdf.metadata["page"], pdf.metadata["last_page"]) == ("A paper", 1, 2)
