"""Conversions: what is lost is counted and named, kinds turn into each other where that makes sense."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from shortlist.core.errors import ConfigError, FormatError, InputError, MissingDocument
from shortlist.core.types import Candidate, Document, Qrel, Query, Ranking, Scale
from shortlist.formats import Bad, by_id, convert, detect, names, read, read_qrels, read_queries, write
from shortlist.formats.documents import iter_documents
from shortlist.formats.reading import dialect
from shortlist.formats.writers import write_jsonl_corpus


class Corpus(dict[str, Document]):
    def __missing__(self, doc_id: str) -> Document:
        raise MissingDocument(f"no document {doc_id!r}")


CORPUS = Corpus({d: Document(d, f"text of {d}", "Title" if d == "d1" else None) for d in ("d1", "d2", "d3")})
QUERIES = by_id([Query("q1", "one"), Query("q2", "two")])
RUN = "q1 Q0 d1 1 3.0 t\nq1 Q0 d2 2 2.0 t\nq2 Q0 d3 1 1.0 t\n"


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    path = tmp_path / "run.trec"
    path.write_text(RUN)
    return path


def test_a_run_with_texts_into_json_loses_nothing_and_back_loses_the_texts(tmp_path: Path, run_file: Path) -> None:
    report = convert(run_file, tmp_path / "r.jsonl", queries=QUERIES, corpus=CORPUS)
    assert (report.source_format, report.target_format) == ("trec-run", "shortlist")
    assert (report.written, report.unit, report.lost, report.notes) == (2, "rankings", (), ())
    back = convert(tmp_path / "r.jsonl", tmp_path / "b.trec")
    assert back.lost == ("query texts of 2 queries", "texts of 3 documents", "titles of 1 document")
    assert [line.rsplit(" ", 1)[0] for line in (tmp_path / "b.trec").read_text().splitlines()] == [
        line.rsplit(" ", 1)[0] for line in RUN.splitlines()
    ]


def test_titles_that_are_joined_are_said_to_be(tmp_path: Path, run_file: Path) -> None:
    report = convert(run_file, tmp_path / "r.json", target_format="rank-gpt", queries=QUERIES, corpus=CORPUS)
    assert report.lost == ("titles of 1 document (joined to the front of the text)",)
    assert next(read(tmp_path / "r.json")).documents[0].text == "Title text of d1"


def test_everything_that_a_ranking_holds_is_counted_as_lost(tmp_path: Path) -> None:
    document = Document("d", "x", "T", ("i.png",), {"year": 1, "grade": 3})
    ranking = Ranking(
        Query("q", "t", "find", ("i",)),
        (Candidate(document, 2.0, 1.0, 0), Candidate(Document("e", "y"))),
        "ranked",
        Scale.LOGIT,
    )
    write([ranking], tmp_path / "r.jsonl")
    report = convert(tmp_path / "r.jsonl", tmp_path / "o.tsv", target_format="msmarco-run")
    assert set(report.lost) == {
        "query texts of 1 query",
        "instructions of 1 query",
        "query images of 1 query",
        "texts of 2 documents",
        "titles of 1 document",
        "images of 1 document",
        "metadata of 1 document",
        "scores of 1 document",
        "grades of 1 document",
        "first stage of 1 document",
        "status of 1 ranking",
    }


def test_grades_from_qrels_make_training_files(tmp_path: Path, run_file: Path) -> None:
    qrels = [Qrel("q1", "d2", 3), Qrel("q1", "d1", 0), Qrel("q2", "d3", 1)]
    options = {"queries": QUERIES, "corpus": CORPUS, "qrels": qrels}
    report = convert(run_file, tmp_path / "t.jsonl", target_format="tevatron-train", **options)  # type: ignore[arg-type]
    assert report.lost == ("scores of 3 documents", "grade levels of 1 document", "order of 1 ranking")
    first = next(read(tmp_path / "t.jsonl"))
    assert [(d.id, d.metadata["grade"]) for d in first.documents] == [("d2", 1), ("d1", 0)]


def test_qrels_with_texts_become_training_files(tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t0\nq1\td2\t2\n")
    report = convert(
        tmp_path / "q.tsv", tmp_path / "t", target_format="sentence-transformers", queries=QUERIES, corpus=CORPUS
    )
    assert "query ids of 1 query" in report.lost
    (ranking,) = read(tmp_path / "t")
    assert [(d.text, d.metadata["grade"]) for d in ranking.documents] == [("text of d2", 2), ("Title text of d1", 0)]


def test_rankings_give_queries_documents_and_judgements(tmp_path: Path, run_file: Path) -> None:
    convert(run_file, tmp_path / "r.jsonl", queries=QUERIES, corpus=CORPUS, qrels=[Qrel("q1", "d1", 2)])
    source = tmp_path / "r.jsonl"
    report = convert(source, tmp_path / "q.jsonl", target_format="beir-queries")
    assert read_queries(tmp_path / "q.jsonl") == list(QUERIES.values())
    assert (report.written, report.unit) == (2, "queries")
    assert convert(source, tmp_path / "c.jsonl", target_format="beir-corpus").written == 3
    assert list(iter_documents(tmp_path / "c.jsonl")) == list(CORPUS.values())
    assert convert(source, tmp_path / "j.txt", target_format="trec-qrels").unit == "judgements"
    assert read_qrels(tmp_path / "j.txt") == [Qrel("q1", "d1", 2)]


def test_one_id_with_two_texts_is_refused(tmp_path: Path) -> None:
    twice = [Ranking(Query(q, "t"), (Candidate(Document("d", f"text {q}")),)) for q in ("1", "2")]
    write(twice, tmp_path / "r.jsonl")
    with pytest.raises(InputError, match="document 'd' has two texts"):
        convert(tmp_path / "r.jsonl", tmp_path / "c", target_format="beir-corpus")
    write([Ranking(Query("1", "a")), Ranking(Query("1", "b"))], tmp_path / "r.jsonl")
    with pytest.raises(InputError, match="query '1' has two texts"):
        convert(tmp_path / "r.jsonl", tmp_path / "q", target_format="beir-queries")


DOCUMENTS = [Document("d1", "first", "One", metadata={"url": "http://x"}), Document("d2", "second")]


@pytest.mark.parametrize("name", names("corpus"))
def test_collections_convert_among_each_other(tmp_path: Path, name: str) -> None:
    write_jsonl_corpus(DOCUMENTS, tmp_path / "corpus.jsonl")
    target = tmp_path / "corpus.out"
    report = convert(tmp_path / "corpus.jsonl", target, "beir-corpus", name)
    lost = {what.split(" of ")[0] for what in report.lost}
    assert lost == {"titles", "metadata"} - dialect(name).holds - ({"metadata"} if name == "msmarco-docs" else set())
    back = list(iter_documents(target))
    assert [d.id for d in back] == ["d1", "d2"]
    assert [d.full_text for d in back] == ["One first", "second"]
    if name != "msmarco-docs":  # an address is needed in each line to recognise it
        assert detect(target) == name
    assert list(dialect(name).read(target)) == back


@pytest.mark.parametrize("name", names("queries"))
def test_queries_convert_among_each_other(tmp_path: Path, name: str) -> None:
    (tmp_path / "queries.tsv").write_text("1\tone\n2\ttwo words\n")
    report = convert(tmp_path / "queries.tsv", tmp_path / "queries.out", target_format=name)
    assert (report.source_format, report.written, report.lost) == ("tsv-queries", 2, ())
    assert detect(tmp_path / "queries.out") == name
    assert list(dialect(name).read(tmp_path / "queries.out")) == [Query("1", "one"), Query("2", "two words")]


@pytest.mark.parametrize("name", names("qrels"))
def test_judgements_convert_among_each_other(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").write_text("q1 0 d1 2\nq1 0 d2 -1\n")
    report = convert(tmp_path / "in", tmp_path / "out", target_format=name)
    assert (report.source_format, report.written, report.lost) == ("trec-qrels", 2, ())
    assert detect(tmp_path / "out") == name
    assert read_qrels(tmp_path / "out") == [Qrel("q1", "d1", 2), Qrel("q1", "d2", -1)]


def test_kinds_that_do_not_become_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "queries.tsv").write_text("1\tone\n")
    with pytest.raises(ConfigError, match=r"tsv-queries holds queries and trec-run holds rankings"):
        convert(tmp_path / "queries.tsv", tmp_path / "out", target_format="trec-run")
    assert not (tmp_path / "out").exists()


def test_fields_without_a_place_are_reported_as_lost(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"_id": "1", "text": "x", "answers": ["a"]}\n')
    report = convert(tmp_path / "q.jsonl", tmp_path / "q.tsv", "beir-queries")
    assert report.lost == ("query field 'answers' not read: 1 times",)


def test_skipped_lines_are_counted_and_listed(tmp_path: Path, run_file: Path) -> None:
    run_file.write_text(RUN + "q2 Q0 d9 2\n")
    with pytest.raises(FormatError, match=r"run.trec:4"):
        convert(run_file, tmp_path / "o.jsonl")
    report = convert(run_file, tmp_path / "o.jsonl", bad=Bad(skip=True))
    assert (report.skipped, report.written) == (1, 2)
    assert any("run.trec:4" in line for line in report.lines())


def test_ties_and_mended_scores_are_notes(tmp_path: Path, run_file: Path) -> None:
    run_file.write_text("q Q0 a 1 1 t\nq Q0 b 2 1 t\n")
    notes = convert(run_file, tmp_path / "o.trec").notes
    assert any(note.startswith("1 scores equal to the one before") for note in notes)
    assert any(note.startswith("1 tied scores") for note in notes)


def test_a_file_can_be_converted_onto_itself(run_file: Path) -> None:
    convert(run_file, run_file, target_format="shortlist")
    assert detect(run_file) == "shortlist"


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(RUN.encode())))
    report = convert("-", tmp_path / "o.jsonl")
    assert (report.source, report.source_format, report.written) == ("<stdin>", "trec-run", 2)


def test_a_target_that_holds_no_calls_says_that_repairs_and_usage_are_lost(tmp_path: Path) -> None:
    from shortlist.core.types import Call, Repair

    call = Call(("d",), (1.0,), "[1]", (Repair("truncated"),))
    write([Ranking(Query("q", ""), (Candidate(Document("d", ""), 1.0),), trace=(call,))], tmp_path / "r.jsonl")
    report = convert(tmp_path / "r.jsonl", tmp_path / "o.trec")
    assert report.lost == ("trace of 1 ranking (every call with its output, repairs and usage)",)
