"""Collections in every layout, with the place of each record."""

from __future__ import annotations

from pathlib import Path

import pytest

from shortlist.core.errors import FormatError, InputError
from shortlist.core.types import Document
from shortlist.formats.documents import guess_layout, iter_documents, iter_placed
from shortlist.formats.lines import Bad, Source
from shortlist.formats.writers import write_csv_corpus, write_jsonl_corpus, write_tsv_corpus


def _file(tmp_path: Path, text: str, name: str = "corpus") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


DOCS = [Document("1", "First text.", "One"), Document("2", "")]


@pytest.mark.parametrize(
    "text",
    [
        '{"_id": "1", "title": "One", "text": "First text."}\n{"_id": "2", "title": "", "text": ""}\n',
        '{"id": 1, "title": "One", "contents": "First text."}\r\n{"id": 2, "contents": ""}',
        '{"docid": "1", "title": "One", "segment": "First text."}\n\n{"docid": "2", "document_text": ""}\n',
        '[{"docno": "1", "title": "One", "passage": "First text."}, {"docno": "2", "body": ""}]',
        "id,title,text\n1,One,First text.\n2,,\n",
        'docno\ttext\ttitle\n1\t"First text."\tOne\n2\t\t\n',
        "\ufeffID;Text;Title\n1;First text.;One\n2;;\n",
    ],
)
def test_every_layout(tmp_path: Path, text: str) -> None:
    assert list(iter_documents(_file(tmp_path, text))) == DOCS


def test_msmarco_tables(tmp_path: Path) -> None:
    (passage,) = iter_documents(_file(tmp_path, '7\ta "quoted" text\n'))
    assert passage == Document("7", 'a "quoted" text')
    (doc,) = iter_documents(_file(tmp_path, "D7\thttp://x\tTitle\tthe body\n"))
    assert (doc, doc.metadata) == (Document("D7", "the body", "Title"), {"url": "http://x"})


def test_other_fields_become_metadata_and_images_images(tmp_path: Path) -> None:
    text = '{"_id": "1", "text": "x", "year": 1999, "metadata": {"source": "a"}, "image": "i.jpg"}\n'
    (document,) = iter_documents(_file(tmp_path, text))
    assert document.metadata == {"year": 1999, "source": "a"}
    assert document.images == ("i.jpg",)


def test_named_columns(tmp_path: Path) -> None:
    path = _file(tmp_path, "key,abstract,name\nk1,long text,N\n")
    columns = {"id": "key", "text": "abstract", "title": "name"}
    assert list(iter_documents(path, columns=columns)) == [Document("k1", "long text", "N")]
    path = _file(tmp_path, '{"key": "k1", "abstract": "long text", "id": "other"}\n')
    (document,) = iter_documents(path, columns={"id": "key", "text": "abstract"})
    assert (document, document.metadata) == (Document("k1", "long text"), {"id": "other"})
    with pytest.raises(FormatError, match="no column named 'absent'"):
        list(iter_documents(_file(tmp_path, "a,text\n1,2\n"), columns={"id": "absent"}))
    with pytest.raises(InputError, match="only 'id', 'text' and 'title'"):
        list(iter_documents(path, columns={"body": "x"}))


def test_documents_without_id_are_numbered(tmp_path: Path) -> None:
    assert [d.id for d in iter_documents(_file(tmp_path, "text,year\nalpha,1\nbeta,2\n"))] == ["1", "2"]
    assert [d.id for d in iter_documents(_file(tmp_path, '{"text": "a"}\n{"text": "b"}\n'))] == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"_id": "1", "text": "x"}\n{"_id": "2"}\n', ":2: no text"),
        ('{"_id": "1", "text": "x"}\n{"_id": null, "text": "x"}\n', ":2: field '_id': expected a string"),
        ('{"_id": "1", "text": "x"}\n{"_id": "2", "text": 5}\n', ":2: field 'text': expected a string"),
        ('{"_id": "1", "text": "x"}\n{"_id": "2", "text": NaN}\n', ":2: NaN is not JSON"),
        ('{"_id": "1", "text": "x"}\n{broken\n', ":2: not JSON"),
        ("1\tx\n2 without tab\n", ":2: expected 2 columns"),
        ("1\tx\n\tno id\n", ":2: the id is empty"),
        ("id,text\n1,x,y\n", ":2: expected 2 cells"),
        ('id,text\n1,"x\n', ":2: broken quoting"),
        ('id,text\n1,"x" y\n2,z\n', ":2: broken quoting"),
        ("just words\n", ":1: not a collection of documents"),
        ("a\tb\tc\n", ":1: not a collection of documents"),
    ],
)
def test_wrong_records_name_the_line(tmp_path: Path, text: str, problem: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(FormatError) as caught:
        list(iter_documents(path))
    assert str(caught.value).removeprefix(str(path)).startswith(problem)


def test_skipping_goes_on_after_a_broken_quote(tmp_path: Path) -> None:
    bad = Bad(skip=True)
    path = _file(tmp_path, 'id,text\n1,"x" y\n2,z\n3,\n4,too,many\n5,last\n')
    assert [d.id for d in iter_documents(path, bad=bad)] == ["2", "3", "5"]
    assert bad.count == 2
    assert bad.examples[1].startswith(f"{path}:5: ")


@pytest.mark.parametrize(
    "text",
    [
        '\ufeff{"_id": "é", "text": "x\\ny"}\r\n\r\n{"_id": "b", "text": "zwei"}',
        'id,text\r\né,"x\ny"\r\n\r\nb,zwei',
        "é\tx y\nb\tzwei\n",
    ],
)
def test_places_are_where_the_records_are(tmp_path: Path, text: str) -> None:
    path = _file(tmp_path, text)
    raw, layout = path.read_bytes(), guess_layout(Source(path))
    placed = list(iter_placed(Source(path), layout))
    assert [p.document.id for p in placed] == ["é", "b"]
    for p in placed:
        assert layout.document(raw[p.offset : p.offset + p.length].decode(), "") == p.document


def test_csv_round_trip_keeps_quotes_line_ends_and_long_texts(tmp_path: Path) -> None:
    docs = [Document("a", 'say "hi",\nthen\tgo', "T"), Document("b", "x" * 300_000), Document("c", "")]
    for name in "c.csv", "c.tsv":
        write_csv_corpus(docs, tmp_path / name, delimiter="\t" if name.endswith("tsv") else ",")
        assert list(iter_documents(tmp_path / name)) == docs


def test_jsonl_round_trip_keeps_metadata_and_equal_texts(tmp_path: Path) -> None:
    docs = [Document("a", "same", "T", ("i.png",), {"year": 1}), Document("b", "same", "T")]
    write_jsonl_corpus(docs, tmp_path / "c.jsonl")
    back = list(iter_documents(tmp_path / "c.jsonl"))
    assert back == docs
    assert back[0].metadata == {"year": 1}


def test_bare_tables_flatten_and_join_titles(tmp_path: Path) -> None:
    docs = [Document("a", "x\ty\nz", "T"), Document("b", "plain")]
    assert write_tsv_corpus(docs, tmp_path / "c.tsv") == 1
    assert (tmp_path / "c.tsv").read_text() == "a\tT x y z\nb\tplain\n"
    with pytest.raises(InputError, match="document id"):
        write_tsv_corpus([Document("a\tb", "x")], tmp_path / "d.tsv")


def test_empty_file_holds_no_documents(tmp_path: Path) -> None:
    assert list(iter_documents(_file(tmp_path, ""))) == []
