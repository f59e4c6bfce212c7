"""Documents by id from disk: every layout and packing, the index beside the file, and what makes it stale."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import pickle
import sys
import tracemalloc
from pathlib import Path

import pytest

from shortlist.core.errors import FormatError, InputError, MissingDocument
from shortlist.core.types import Document
from shortlist.data import Collection, collection, offsets
from shortlist.formats.lines import Source

LINES = ['{"_id": "é 1", "title": "T", "text": "eins"}', "", '{"_id": "2", "text": "zwei"}', '{"_id": "3", "text": ""}']
DOCS = [Document("é 1", "eins", "T"), Document("2", "zwei"), Document("3", "")]


@pytest.fixture
def indexed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files get an index file too."""
    monkeypatch.setattr(collection, "INDEX_FROM", 0)


def _check(found: Collection) -> None:
    assert len(found) == 3
    assert list(found) == DOCS
    assert [found[d.id] for d in reversed(DOCS)] == DOCS[::-1]
    assert "2" in found and "4" not in found and 2 not in found


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_jsonl_in_every_packing(tmp_path: Path, indexed: None, end: str, mark: str, pack: type[bytes]) -> None:
    path = tmp_path / "corpus"
    path.write_bytes(pack((mark + end.join(LINES)).encode()))
    _check(Collection(path))
    _check(Collection(path))


@pytest.mark.parametrize(
    "text",
    [
        "[" + ", ".join(line for line in LINES if line) + "]",
        'id,title,text\né 1,T,eins\n\n2,,"zwei"\n3,,\n',
        "id\ttitle\ttext\né 1\tT\teins\n2\t\tzwei\n3\t\t\n",
    ],
)
def test_arrays_and_tables(tmp_path: Path, indexed: None, text: str) -> None:
    (tmp_path / "corpus").write_text(text, encoding="utf-8")
    _check(Collection(tmp_path / "corpus"))


def test_standard_input_is_kept_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(LINES).encode())))
    _check(Collection("-", cache=tmp_path / "cache"))


def test_quoted_cells_over_several_lines(tmp_path: Path, indexed: None) -> None:
    (tmp_path / "c.csv").write_bytes(b'id,text\r\na,"one\r\ntwo, ""three"""\r\nb,x\r\n')
    found = Collection(tmp_path / "c.csv")
    assert found["a"] == Document("a", 'one\ntwo, "three"') == next(iter(found))
    assert found["b"].text == "x"


def test_documents_without_id_are_found_by_their_number(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    assert Collection(tmp_path / "c.jsonl")["2"] == Document("2", "b")


def test_unknown_ids_suggest_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"_id": "doc-100", "text": "a"}\n')
    with pytest.raises(
        MissingDocument, match=r"no document 'doc-1000' in .*\(1 documents\); the nearest id is 'doc-100'"
    ):
        Collection(tmp_path / "c.jsonl")["doc-1000"]


def test_an_id_twice_names_both_lines(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text(
        '{"_id": "a", "text": "x"}\n\n{"_id": "b", "text": "x"}\n{"_id": "a", "text": "x"}\n'
    )
    with pytest.raises(FormatError, match=r"c.jsonl:4: document id 'a' comes twice, first at line 1"):
        len(Collection(tmp_path / "c.jsonl"))


def test_equal_texts_under_two_ids_stay_two(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"_id": "a", "text": "x"}\n{"_id": "b", "text": "x"}\n')
    assert [d.id for d in Collection(tmp_path / "c.jsonl")] == ["a", "b"]


def test_a_malformed_record_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"_id": "a", "text": "x"}\n{"_id": "b"}\n')
    with pytest.raises(FormatError, match=r"c.jsonl:2: no text"):
        len(Collection(tmp_path / "c.jsonl"))


def test_empty_collections(tmp_path: Path, indexed: None) -> None:
    (tmp_path / "c.jsonl").write_text("")
    for _ in range(2):
        found = Collection(tmp_path / "c.jsonl")
        assert len(found) == 0 and list(found) == [] and "a" not in found


def test_colliding_hashes_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offsets, "id_hash", lambda doc_id: len(doc_id))
    (tmp_path / "c.jsonl").write_text("\n".join(LINES), encoding="utf-8")
    _check(Collection(tmp_path / "c.jsonl"))


def test_the_index_is_used_again_and_rebuilt_when_the_file_changes(
    tmp_path: Path, indexed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"_id": "a", "text": "one"}\n')
    assert Collection(path)["a"].text == "one"
    assert (tmp_path / ".c.jsonl.offsets").exists()
    scans: list[str] = []
    real = Collection._scan
    monkeypatch.setattr(Collection, "_scan", lambda self: scans.append("scan") or real(self))
    assert Collection(path)["a"].text == "one"
    assert scans == []
    path.write_text('{"_id": "b", "text": "two"}\n')
    assert Collection(path)["b"].text == "two"
    assert scans == ["scan"]
    (tmp_path / ".c.jsonl.offsets").write_bytes(b"{}\n")
    assert "b" in Collection(path)
    Collection(path, columns={"id": "text", "text": "_id"})["two"]
    assert scans == ["scan"] * 3


def test_a_packed_file_is_unpacked_once_until_it_changes(tmp_path: Path) -> None:
    path, cache = tmp_path / "c.jsonl.gz", tmp_path / "cache"
    path.write_bytes(gzip.compress(b'{"_id": "a", "text": "one"}\n'))
    assert Collection(path, cache)["a"].text == "one"
    (copy,) = cache.glob("*.plain.jsonl")
    stamp = copy.stat().st_mtime_ns
    assert Collection(path, cache)["a"].text == "one"
    assert copy.stat().st_mtime_ns == stamp
    path.write_bytes(gzip.compress(b'{"_id": "b", "text": "two"}\n'))
    assert Collection(path, cache)["b"].text == "two"


def test_read_only_folders_fall_back_to_the_users_cache(
    tmp_path: Path, indexed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORTLIST_CACHE", str(tmp_path / "home"))
    monkeypatch.setattr("os.access", lambda *_: False)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "c.jsonl").write_text("\n".join(LINES), encoding="utf-8")
    _check(Collection(tmp_path / "data" / "c.jsonl"))
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["c.jsonl"]
    assert list((tmp_path / "home" / "collections").glob("c-*.offsets"))


def test_a_file_that_changes_under_us_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"_id": "a", "text": "one"}\n{"_id": "b", "text": "two"}\n')
    found = Collection(path)
    assert "a" in found
    with path.open("r+") as out:
        out.write("x" * 20)
    with pytest.raises(InputError, match="changed while it was in use"):
        found["a"]


def test_collections_travel_between_processes(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text("\n".join(LINES), encoding="utf-8")
    found = Collection(tmp_path / "c.jsonl")
    len(found), found["2"]
    _check(pickle.loads(pickle.dumps(found)))
    assert found == Collection(tmp_path / "c.jsonl")


def test_missing_files_are_named_on_first_use(tmp_path: Path) -> None:
    found = Collection(tmp_path / "absent.jsonl")
    with pytest.raises(InputError, match=r"absent.jsonl: no such file"):
        len(found)


@pytest.mark.slow
def test_memory_is_twenty_bytes_a_document(tmp_path: Path) -> None:
    """200,000 documents of 500 characters: the index is mapped, the texts stay on disk."""
    path = tmp_path / "c.jsonl"
    with path.open("w") as out:
        out.writelines(json.dumps({"_id": f"doc{i}", "text": "x" * 500}) + "\n" for i in range(200_000))
    assert len(Collection(path)) == 200_000
    tracemalloc.start()
    found = Collection(path)
    assert found["doc199999"].text == found["doc0"].text == "x" * 500
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    assert (tmp_path / ".c.jsonl.offsets").stat().st_size < 200_000 * 20 + 500


def test_source_tells_packed_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(gzip.compress(b"x"))
    (tmp_path / "b").write_bytes(b"x")
    assert [Source(tmp_path / name).is_packed() for name in "ab"] == [True, False]
