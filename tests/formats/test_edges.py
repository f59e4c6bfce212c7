"""Texts added to rankings, and the malformed lines of the smaller formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shortlist.core.errors import FormatError, InputError, MissingDocument
from shortlist.core.types import Candidate, Document, Query, Ranking
from shortlist.formats import Bad, convert, detect, read, read_queries, write
from shortlist.formats.documents import iter_documents
from shortlist.formats.graded import to_qrels
from shortlist.formats.texts import with_texts


class Corpus(dict[str, Document]):
    def __missing__(self, doc_id: str) -> Document:
        raise MissingDocument(f"no document {doc_id!r}")


def _ranking(query: Query, *documents: Document) -> Ranking:
    return Ranking(query, tuple(map(Candidate, documents)))


def test_texts_come_from_the_collection_and_metadata_of_both_is_kept() -> None:
    bare = _ranking(Query("q", ""), Document("d", "", metadata={"grade": 1}))
    corpus = Corpus(d=Document("d", "text", "T", metadata={"year": 1}))
    (full,) = with_texts([bare], {"q": Query("q", "which", "find")}, corpus)
    assert full.query == Query("q", "which", "find")
    assert full.documents == (corpus["d"],)
    assert full.documents[0].metadata == {"grade": 1, "year": 1}


def test_what_has_a_text_may_be_unknown_and_what_has_none_may_not() -> None:
    known = _ranking(Query("q", "own text"), Document("d", "own text"))
    assert list(with_texts([known], {}, Corpus())) == [known]
    bare = _ranking(Query("q", "own text"), Document("d", ""), Document("e", "x"))
    with pytest.raises(MissingDocument, match="query 'q': no document 'd'"):
        list(with_texts([bare], None, Corpus()))
    with pytest.raises(MissingDocument, match="query 'p' is not among the 0 queries given"):
        list(with_texts([_ranking(Query("p", ""))], {}))
    bad = Bad(skip=True)
    assert [r.ids for r in with_texts([bare, _ranking(Query("p", ""))], {}, Corpus(), bad)] == [("e",)]
    assert bad.count == 2


def test_reading_json_with_queries_and_corpus(tmp_path: Path) -> None:
    write([_ranking(Query("q", ""), Document("d", ""))], tmp_path / "r.jsonl")
    (full,) = read(tmp_path / "r.jsonl", queries={"q": Query("q", "t")}, corpus=Corpus(d=Document("d", "x")))
    assert (full.query.text, full.documents[0].text) == ("t", "x")


MALFORMED = [
    ("lightning-ir", "query_id\tdoc_id\tscore\nq\td\t1\nq\te\n", ":3: expected 3 cells, found 2"),
    ("lightning-ir", "query_id\tdoc_id\tscore\nq\td\t1\n\te\t2\n", ":3: the query id or the document id is empty"),
    ("lightning-ir", "query_id\tdoc_id\tscore\nq\td\t1\nq\te\tnan\n", ":3: score 'nan' is not a finite number"),
    ("lightning-ir", "qid,docno,rank\nq,d,1\nq,e,x\n", ":3: invalid literal"),
    ("lightning-ir", "a\tb\nq\td\n", ":1: no header with query id"),
    ("msmarco-top1000", "q\td\tx y\tz z\n\nq\te\tx\n", ":3: expected qid, pid, query, passage with tabs, found 3"),
    (
        "tevatron-rerank",
        '{"query_id": "q", "query": "x", "docid": "d", "text": "t"}\n{"query_id": "q"}\n',
        ":2: no doc",
    ),
    (
        "rank-gpt",
        '{"query": "x", "hits": [{"qid": 1, "content": "a"}, {"qid": 2, "content": "b"}]}\n',
        ":1: hits of dif",
    ),
    (
        "rank-llm",
        '{"query": "x", "candidates": [{"docid": "d", "doc": {"url": "u"}}]}\n',
        ":1: document 'd' has no text",
    ),
    ("rank-llm", '{"query": "x", "candidates": [{"docid": "d", "doc": "t", "score": "high"}]}\n', ":1: score 'high'"),
    ("rank-llm", '{"query": "x", "candidates": [3]}\n', ":1: expected an object in 'candidates', found the number 3"),
    ("sentence-transformers", '{"query": "x", "docs": ["a"], "labels": [1, 0]}\n', ":1: 2 labels for 1 docs"),
    ("sentence-transformers", '{"query": "x", "docs": ["a"], "labels": [true]}\n', ":1: label: expected a number"),
    (
        "mteb-predictions",
        '{"a": {"test": {}}, "b": {"test": {}}}',
        ":1: expected one subset and split, found a/test, b/",
    ),
    ("mteb-predictions", '{"a": {"test": {"q": {"d": "x"}}}}', ":1: score of document 'd': expected a number"),
    ("mteb-predictions", '{"a":\n {"test" {}}}', ":2: not JSON"),
]


@pytest.mark.parametrize(("name", "text", "problem"), MALFORMED)
def test_malformed_lines_of_the_smaller_formats(tmp_path: Path, name: str, text: str, problem: str) -> None:
    path = tmp_path / "f"
    path.write_text(text)
    with pytest.raises(FormatError) as caught:
        list(read(path, name))
    assert str(caught.value).removeprefix(str(path)).startswith(problem)


@pytest.mark.parametrize(
    "text", ["qid,docno,rank\nq,d,2\nq,e,1\n", "qid query docno text score rank\nq x d y 1 1\nq x e y 2 0\n"]
)
def test_headed_runs_with_commas_and_spaces(tmp_path: Path, text: str) -> None:
    (tmp_path / "f").write_text(text)
    assert detect(tmp_path / "f") == "lightning-ir"
    assert next(read(tmp_path / "f")).ids == ("e", "d")


def test_arrays_that_are_cut_or_not_utf8_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "f"
    for data, problem in (
        (b'[\n{"a": "\xff"}]', "not UTF-8"),
        (b"[\n5]", "expected a JSON object"),
        (b"[\n", "not JSON"),
    ):
        path.write_bytes(data)
        with pytest.raises(FormatError, match=problem) as caught:
            list(read(path, "rank-gpt"))
        assert f"{path}:" in str(caught.value)


def test_documents_refuse_wrong_images_ids_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "c"
    for record in {"_id": "a", "image": 5}, {"_id": "a", "text": "x", "metadata": [1]}, {"_id": "", "text": "x"}:
        path.write_text(json.dumps(record) + "\n")
        with pytest.raises(FormatError, match=r"c:1: "):
            list(iter_documents(path))
    path.write_text('{"_id": "a", "image": ["x.jpg", "y.jpg"]}\n')
    assert next(iter_documents(path)).images == ("x.jpg", "y.jpg")
    path.write_text('{"x": "a", "text": "t"}\n')
    with pytest.raises(FormatError, match="no field 'key' for the id"):
        list(iter_documents(path, columns={"id": "key"}))
    path.write_bytes(b"a\tx\nb\t\xff\n")
    bad = Bad(skip=True)
    assert [d.id for d in iter_documents(path, bad=bad)] == ["a"]
    path.write_bytes(b"id,text\na,x\nb,\xff\nc,z\n")
    assert [d.id for d in iter_documents(path, bad=bad)] == ["a", "c"]
    assert bad.count == 2


def test_array_elements_that_are_wrong_are_skipped_on_request(tmp_path: Path) -> None:
    (tmp_path / "c").write_text('[{"_id": "a", "text": "x"}, {"_id": "b"}, {"_id": "c", "text": "z"}]')
    bad = Bad(skip=True)
    assert [d.id for d in iter_documents(tmp_path / "c", bad=bad)] == ["a", "c"]
    assert bad.count == 1


def test_grades_that_are_not_whole_cannot_be_judgements() -> None:
    with pytest.raises(InputError, match=r"grade 0\.5 is not whole"):
        list(to_qrels([_ranking(Query("q", ""), Document("d", "", metadata={"grade": 0.5}))]))


def test_queries_with_images_and_tables_with_holes(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"_id": "1", "text": "x", "images": ["i.png"]}\n')
    assert convert(tmp_path / "q.jsonl", tmp_path / "o.jsonl", "beir-queries").lost == ()
    assert read_queries(tmp_path / "o.jsonl") == [Query("1", "x", images=("i.png",))]
    (tmp_path / "q.csv").write_text('qid,text\n1,x\n,y\n2,"a ""b"""\n')
    bad = Bad(skip=True)
    assert read_queries(tmp_path / "q.csv", bad=bad) == [Query("1", "x"), Query("2", 'a "b"')]
    assert bad.count == 1


def test_the_target_decides_what_an_ambiguous_source_is(tmp_path: Path) -> None:
    (tmp_path / "f").write_text('{"_id": "1", "text": "x"}\n')
    with pytest.raises(InputError, match="could be"):
        convert(tmp_path / "f", tmp_path / "o.jsonl")
    assert convert(tmp_path / "f", tmp_path / "o", target_format="tsv-queries").source_format == "beir-queries"
    assert convert(tmp_path / "f", tmp_path / "o", target_format="msmarco-passages").source_format == "beir-corpus"


@pytest.mark.parametrize("broken", ["garbage", '{"shortlist": 1, "query": {"id"'])
def test_a_broken_first_line_does_not_hide_the_format(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "rankings.jsonl"
    write([_ranking(Query("q", "x"), Document("d", "text"))], path)
    path.write_text(broken + "\n" + path.read_text())
    bad = Bad(skip=True)
    assert [r.ids for r in read(path, bad=bad)] == [("d",)] and bad.count == 1
    with pytest.raises(FormatError, match=r"rankings\.jsonl:1: "):
        list(read(path))
