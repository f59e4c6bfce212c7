"""Each kind of file: what is read, where it stands, and what is refused with which reason."""

from __future__ import annotations

import gzip
import json
from types import ModuleType
from typing import Any

import pytest

from shortlist.data.ingest import Unreadable
from shortlist.data.ingest.decode import clean
from shortlist.data.ingest.html import read_html

Read = Any


def test_plain_text_places_are_exact(read: Read) -> None:
    text = "\r\n".join(f"Line {i} has a few words in it." for i in range(1, 200))
    passages, report = read("a.txt", text, window=60, overlap=12)
    assert len(passages) > 10 and report.documents == 1
    for number, p in enumerate(passages, 1):
        start, end = p.metadata["start"], p.metadata["end"]
        assert text[start:end] == p.text
        assert p.text.startswith(f"Line {p.metadata['line']} ")
        assert (p.id, p.metadata["passage"], p.metadata["passages"]) == (f"a.txt#{number}", number, len(passages))
        assert p.metadata["doc_id"] == p.metadata["file"] == "a.txt"


def test_markdown_title_and_headings(read: Read) -> None:
    body = "Word " * 80
    text = f"Intro {body}\n\n# Title *here* #\n\n{body}\n\n```\n# not a heading\n```\n\n"
    text += f"Under\n-----\n\n{body}\n\n### Deep\n{body}"
    passages, _ = read("a.md", text, window=110, overlap=10)
    assert {p.title for p in passages} == {"Title *here*"}
    assert [p.metadata.get("heading") for p in passages] == [None, "Title *here*", "Under", "Deep"]
    assert all(text[p.metadata["start"] : p.metadata["end"]] == p.text for p in passages)
    (front,), _ = read("b.md", "---\ntitle: 'From the front'\ntags: [x]\n---\n# Other\nText")
    assert front.title == "From the front"


def test_html_is_what_a_reader_sees(read: Read) -> None:
    page = """<!DOCTYPE html><html><head><title> The
      title </title><script>var x</script></head><body><nav>Home | About</nav><!-- hidden --><h1>Big <i>head</i></h1>
      <p>One  <b>bold</b>ly.</p><ul><li>first<li>second</ul><pre>a
  b</pre><table><tr><td>x</td><td>y</td></tr></table><style>p{}</style>end<br>line &amp; more</body></html>"""
    (passage,), report = read("a.html", page)
    assert passage.text == "Big head\n\nOne boldly.\n\nfirst\n\nsecond\n\na\n  b\n\nx y\n\nend line & more"
    assert passage.title == "The title"
    assert passage.metadata["heading"] == "Big head"
    assert not report.notes


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 3000 + "deep text",
        "<p>unclosed <b>tags & <a href='x>deep text",
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>deep text</p></body></html>',
        "deep text, no tags at all",
        "deep text.html",
    ],
)
def test_odd_html_is_read(read: Read, page: str) -> None:
    (passage,), _ = read("a.htm", page)
    assert "deep" in passage.text or "unclosed" in passage.text


def test_headings_stand_where_they_say() -> None:
    page = "<p>before</p><h1>One</h1><p>text</p><div><h2>Two <i>words</i></h2></div><h3></h3>"
    extract, _ = read_html(page.encode())
    assert [(h.level, h.text) for h in extract.headings] == [(1, "One"), (2, "Two words")]
    assert [extract.text[h.offset :].split("\n")[0] for h in extract.headings] == ["One", "Two words"]


def test_html_declares_its_encoding(read: Read) -> None:
    (passage,), _ = read("a.html", '<meta charset="windows-1251"><p>Привет</p>'.encode("cp1251"))
    assert passage.text == "Привет"


def test_pdf_pages(read: Read, samples: ModuleType) -> None:
    long = "Many words on this page. " * 30
    passages, report = read("a.pdf", samples.pdf(["First page.", long, "", "Last."], title="T"), window=100, overlap=10)
    assert passages[0].title == "T"
    assert passages[0].metadata["page"] == 1
    assert {p.metadata["page"] for p in passages} <= {1, 2, 4}
    assert any(p.text.endswith("Last.") for p in passages)
    assert report.notes == ["no text on page 3"]


def test_bad_pdfs_are_refused_with_the_reason(read: Read, samples: ModuleType) -> None:
    with pytest.raises(Unreadable, match="encrypted; it needs a password"):
        read("a.pdf", samples.pdf(["x"], password="pw"))
    with pytest.raises(Unreadable, match=r"no text on any of its 2 pages .*scanned"):
        read("b.pdf", samples.pdf(["", ""]))
    for n, data in enumerate([b"", b"%PDF-1.4 rubbish", samples.pdf(["text"])[:300], b"\0" * 5000]):
        with pytest.raises(Unreadable, match=r"PDF|no text"):
            read(f"c{n}.pdf", data)
    readable, _ = read("d.pdf", samples.pdf(["open"], password=""))
    assert readable[0].text == "open"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", '{"_id": "1", "title": "T", "text": "hello"}\n\n{"docid": 2, "contents": "there"}\n"bare"\n'),
        (
            "a.jsonl",
            b'\xef\xbb\xbf{"id": "1", "title": "T", "text": "hello"}\r\n{"pid": "2", "passage": "there"}\r\n"bare"',
        ),
        ("a.csv", 'id,title,text\n1,T,hello\n2,,there\n"a.csv:9",,bare\n'),
        ("a.tsv", "_id\ttitle\ttext\n1\tT\thello\n2\t\tthere\nz\t\tbare"),
        (
            "a.jsonl.gz",
            gzip.compress(b'{"id": "1", "title": "T", "text": "hello"}\n{"id": "2", "text": "there"}\n"bare"', mtime=0),
        ),
    ],
)
def test_records(read: Read, name: str, data: bytes | str) -> None:
    passages, report = read(name, data)
    assert [p.text for p in passages] == ["hello", "there", "bare"]
    assert [p.title for p in passages] == ["T", None, None]
    assert [p.id for p in passages][:2] == ["1", "2"]
    assert report.documents == 3 and not report.skipped


def test_tables_without_a_header_are_id_and_text(read: Read) -> None:
    passages, _ = read("c.tsv", '0\tA "quote of one\n1\tSecond')
    assert [(p.id, p.text) for p in passages] == [("0", 'A "quote of one'), ("1", "Second")]
    passages, _ = read("one.csv", "just text\nmore text\n")
    assert [(p.id, p.text) for p in passages] == [("one.csv:1", "just text"), ("one.csv:2", "more text")]
    with pytest.raises(Unreadable, match=r"no text column \(columns: a, b, c\)"):
        read("x.csv", "a,b,c\n1,2,3\n")


def test_bad_records_are_listed_and_the_rest_is_read(read: Read) -> None:
    lines = [b'{"id": "1", "text": "ok"}', b"{broken", b"[1, 2]", b'{"id": "2", "name": "n"}', b'{"text": "\xff"}',
             b'{"id": "3", "text": "  "}', b'{"id": "4", "text": "fine \\ud800"}']  # fmt: skip
    passages, report = read("a.jsonl", b"\n".join(lines))
    assert [p.text for p in passages] == ["ok", "fine \ufffd"]
    found = {s.line: s.reason for s in report.skipped}
    assert set(found) == {2, 3, 4, 5, 6}
    assert "not JSON" in found[2] and "JSON list" in found[3] and "no text among its fields (id, name)" in found[4]
    assert "UTF-8" in found[5] and "empty" in found[6]
    many, report = read("b.jsonl", "\n".join(["{"] * 100 + ['{"text": "x"}']))
    assert len(report.skipped) == 20 and report.unlisted == 80 and len(many) == 1


def test_quoted_fields_and_their_lines(read: Read) -> None:
    passages, report = read(
        "a.csv", 'id,text\n1,"two\nlines"\n2,next\n3,too,many\n4,"' + "x" * 200_000 + '"\n', window=100_000
    )
    assert [(p.id, p.metadata["line"]) for p in passages] == [("1", 2), ("2", 4), ("4", 6)]
    assert [(s.line, s.reason) for s in report.skipped] == [(5, "3 columns, expected 2")]


def test_repeated_ids_get_their_line_and_a_note(read: Read) -> None:
    rows = [{"id": "a", "text": "one"}, {"id": "a", "text": "two"}, {"id": "a#1", "text": "three"}, {"text": "four"}]
    rows.append({"id": "b", "text": "Many words. " * 200})
    rows.append({"id": "b#2", "text": "five"})
    passages, report = read("a.jsonl", "\n".join(map(json.dumps, rows)))
    ids = [p.id for p in passages]
    assert len(set(ids)) == len(ids)
    assert ids[:4] == ["a", "a:2", "a#1", "a.jsonl:4"]
    assert any("id 'a' was used at line 1" in note for note in report.notes)
    assert {p.metadata["doc_id"] for p in passages} == {"a", "a:2", "a#1", "a.jsonl:4", "b", "b#2:6"}


def test_other_fields_are_kept_and_titles_alone_are_texts(read: Read) -> None:
    passages, _ = read("a.jsonl", '{"id": 1, "text": ["p", "q"], "year": 1999}\n{"id": 2, "title": "Only", "text": ""}')
    assert passages[0].text == "p\nq" and passages[0].metadata["fields"] == {"year": 1999}
    assert (passages[1].title, passages[1].text) == ("Only", "")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("naïve".encode("cp1252"), "naïve"),
        ("sixteen".encode("utf-16"), "sixteen"),
        ("thirty-two".encode("utf-32"), "thirty-two"),
        (b"\xef\xbb\xbfmark", "mark"),
    ],
)
def test_encodings(read: Read, data: bytes, text: str) -> None:
    (passage,), report = read("a.txt", data)
    assert passage.text == text
    assert bool(report.notes) is (data == "naïve".encode("cp1252"))


@pytest.mark.parametrize("data", [b"\0\1\2", b"", b"  \n", bytes(range(1, 32)) * 9, b"\xff\xfe\0"])
def test_what_is_not_text_is_refused(read: Read, data: bytes) -> None:
    with pytest.raises(Unreadable, match=r"binary|no text|damaged"):
        read("a.txt", data)


def test_damaged_gzip_is_refused(read: Read) -> None:
    with pytest.raises(Unreadable, match="damaged gzip"):
        read("a.jsonl.gz", b"\x1f\x8b\x08 not really")


def test_half_surrogates_are_replaced_and_pairs_kept() -> None:
    assert clean("a\ud800b\U0001f600") == "a\ufffdb\U0001f600"
