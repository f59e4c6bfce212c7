"""Opening, decompressing, decoding and numbering lines; files that appear whole or not at all."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import sys
from pathlib import Path

import pytest

from shortlist.core.errors import FormatError, InputError
from shortlist.formats.atomic import atomic_text
from shortlist.formats.lines import Bad, Source, iter_lines, placed_lines

TEXT = "eins\nzwei é\n\nvier"


def _write(path: Path, how: str, data: bytes) -> Path:
    path.write_bytes({"plain": lambda b: b, "gz": gzip.compress, "xz": lzma.compress}[how](data))
    return path


@pytest.mark.parametrize("how", ["plain", "gz", "xz"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_lines_are_the_same_whatever_the_packing(tmp_path: Path, how: str, end: str, mark: bytes, last: str) -> None:
    data = mark + (TEXT + last).replace("\n", end).encode()
    path = _write(tmp_path / "named.without.a.hint", how, data)
    assert list(iter_lines(Source(path))) == [(1, "eins"), (2, "zwei é"), (3, ""), (4, "vier")]


def test_offsets_point_at_the_text_after_mark_and_crlf(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbfab\r\ncde\r\nf"
    path = _write(tmp_path / "f", "plain", data)
    assert [(n, data[o : o + len(raw)]) for n, o, raw in placed_lines(Source(path))] == [
        (1, b"ab"),
        (2, b"cde"),
        (3, b"f"),
    ]


@pytest.mark.parametrize("how", ["plain", "gz"])
def test_standard_input_can_be_looked_at_and_then_read_once(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    data = {"plain": TEXT.encode(), "gz": gzip.compress(TEXT.encode())}[how]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    source = Source("-")
    assert source.head() == TEXT.encode()
    assert [line for _, line in iter_lines(source)] == TEXT.split("\n")
    with pytest.raises(InputError, match="only once"):
        list(iter_lines(source))


def test_standard_input_longer_than_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"line {i} " + "x" * 100 for i in range(5000)]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
    source = Source("-")
    assert 0 < len(source.head()) < sum(map(len, lines))
    assert [line for _, line in iter_lines(source)] == lines


def test_head_holds_a_whole_first_line(tmp_path: Path) -> None:
    path = _write(tmp_path / "f", "plain", b"x" * 1_000_000 + b"\ny\n")
    assert Source(path).head().endswith(b"x\n")


def test_invalid_utf8_names_line_column_and_text(tmp_path: Path) -> None:
    path = _write(tmp_path / "f", "plain", b"good\nba\xffd\ngood\n")
    with pytest.raises(FormatError, match=r"f:2: not UTF-8 \(byte 0xff at column 3\)") as caught:
        list(iter_lines(Source(path)))
    assert caught.value.text == "ba\\xffd"
    bad = Bad(skip=True)
    assert [n for n, _ in iter_lines(Source(path), bad)] == [1, 3]
    assert bad.count == 1


def test_utf16_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path / "f", "plain", "q1\tx\n".encode("utf-16"))
    with pytest.raises(FormatError, match="UTF-16"):
        list(iter_lines(Source(path)))


@pytest.mark.parametrize("how", ["gz", "xz"])
def test_a_file_cut_short_is_an_error_with_its_last_line(tmp_path: Path, how: str) -> None:
    lines = "".join(f"{i} {os.urandom(30).hex()}\n" for i in range(3000))
    path = _write(tmp_path / "f", how, lines.encode())
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(FormatError, match="damaged or cut short"):
        list(iter_lines(Source(path)))


def test_missing_files_and_folders_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Source(tmp_path / "absent").head()
    with pytest.raises(InputError, match="is a folder"):
        Source(tmp_path).head()


def test_empty_file_has_no_lines(tmp_path: Path) -> None:
    path = _write(tmp_path / "f", "plain", b"")
    assert list(iter_lines(Source(path))) == []
    assert Source(path).head() == b""


def test_bad_keeps_the_first_examples_only() -> None:
    bad = Bad(skip=True, keep=2)
    for n in range(1, 6):
        bad.line("f", n, "wrong", "x")
    assert bad.count == 5
    assert bad.examples == ["f:1: wrong: 'x'", "f:2: wrong: 'x'"]


@pytest.mark.parametrize("name", ["out.txt", "out.gz", "out.xz"])
def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_text(target) as out:
        out.write("new" * 100_000)
        raise RuntimeError
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_packed_output_is_read_back_and_repeatable(tmp_path: Path) -> None:
    for name in "a.gz", "b.gz", "a.xz":
        with atomic_text(tmp_path / name) as out:
            out.write(TEXT)
        assert "\n".join(line for _, line in iter_lines(Source(tmp_path / name))) == TEXT
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_links_stay_links_and_devices_stay_devices(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_text(tmp_path / "link") as out:
        out.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    with atomic_text(os.devnull) as out:
        out.write("gone")
    assert not Path(os.devnull).is_file()


def test_writing_to_a_folder_or_into_none_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"), atomic_text(tmp_path):
        pass
    with pytest.raises(InputError, match="cannot be written"), atomic_text(tmp_path / "absent" / "f"):
        pass


def test_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with atomic_text("-") as out:
        out.write("é\n")
    assert capfdbinary.readouterr().out == "é\n".encode()
