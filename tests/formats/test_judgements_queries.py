"""Judgements, queries and topics in their layouts, with what is wrong in them named by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import FormatError, InputError
from shortlist.core.types import Qrel, Query
from shortlist.formats.lines import Bad
from shortlist.formats.qrels import read_qrels, write_beir_qrels, write_jsonl_qrels, write_trec_qrels
from shortlist.formats.queries import iter_queries, read_queries, write_beir_queries, write_tsv_queries
from shortlist.formats.topics import read_topics, write_topics

QRELS = [Qrel("q1", "d1", 2), Qrel("q1", "d2", 0), Qrel("q2", "d1", -1)]


def _file(tmp_path: Path, text: str, name: str = "f") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "q1 0 d1 2\nq1 0 d2 0\nq2 0 d1 -1\n",
        "q1\t0\td1\t2\r\nq1\tQ0\td2\t0\r\nq2\t0\td1\t-1",
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td1\t-1\n",
        "\ufeffquery-id\tcorpus-id\tscore\n\nq1\td1\t2.0\nq1\td2\t0\nq2\td1\t-1\n",
        "score\tquery-id\tcorpus-id\n2\tq1\td1\n0\tq1\td2\n-1\tq2\td1\n",
        "q1\td1\t2\nq1\td2\t0\nq2\td1\t-1\n",
        '{"qid": "q1", "docid": "d1", "relevance": 2}\n{"qid": "q1", "docid": "d2", "relevance": 0}\n'
        '{"qid": "q2", "docid": "d1", "relevance": -1}\n',
        '[{"query-id": "q1", "corpus-id": "d1", "score": 2}, {"query-id": "q1", "corpus-id": "d2", "score": 0}, '
        '{"query-id": "q2", "corpus-id": "d1", "score": -1}]',
    ],
)
def test_every_layout_of_judgements(tmp_path: Path, text: str) -> None:
    assert read_qrels(_file(tmp_path, text)) == QRELS


@pytest.mark.parametrize("write", [write_trec_qrels, write_beir_qrels, write_jsonl_qrels])
def test_judgements_round_trip(tmp_path: Path, write: object) -> None:
    write(QRELS, tmp_path / "out")  # type: ignore[operator]
    assert read_qrels(tmp_path / "out") == QRELS


def test_empty_judgements(tmp_path: Path) -> None:
    assert read_qrels(_file(tmp_path, "")) == []
    assert read_qrels(_file(tmp_path, "query-id\tcorpus-id\tscore\n")) == []


def test_ids_with_spaces_in_tab_separated_judgements(tmp_path: Path) -> None:
    assert read_qrels(_file(tmp_path, "query-id\tcorpus-id\tscore\nq 1\tdoc one\t1\n")) == [Qrel("q 1", "doc one", 1)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q1 0 d3", "expected qid iter docid grade, found 3 columns"),
        ("q1 0 d3 high", "grade 'high' is not a whole number"),
        ("q1 0 d3 0.5", "grade '0.5' is not a whole number"),
        ("q1 0 d3 nan", "not a whole number"),
        ("q1 0 d1 1", r"query 'q1', document 'd1': grade 1 here, grade 2 at line 1"),
    ],
)
def test_wrong_judgements_name_the_line(tmp_path: Path, line: str, problem: str) -> None:
    path = _file(tmp_path, f"q1 0 d1 2\n{line}\nq1 0 d2 0\n")
    with pytest.raises(FormatError, match=f":2: .*{problem}"):
        read_qrels(path)
    bad = Bad(skip=True)
    assert read_qrels(path, bad=bad) == QRELS[:2]
    assert bad.count == 1


def test_the_same_judgement_twice_is_read_once_and_counted(tmp_path: Path) -> None:
    bad = Bad()
    assert read_qrels(_file(tmp_path, "q1 0 d1 2\nq1 0 d1 2\n"), bad=bad) == QRELS[:1]
    assert bad.noticed["repeated judgements"] == 1


def test_ids_that_the_format_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="write JSONL"):
        write_trec_qrels([Qrel("q", "a b", 1)], tmp_path / "out")
    with pytest.raises(InputError, match="write JSONL"):
        write_beir_qrels([Qrel("q", "a\tb", 1)], tmp_path / "out")
    write_jsonl_qrels([Qrel("q", "a\tb", 1)], tmp_path / "out")
    assert read_qrels(tmp_path / "out") == [Qrel("q", "a\tb", 1)]


@pytest.mark.parametrize(
    "text",
    [
        '{"_id": "1", "text": "flea life"}\n{"_id": 2, "text": ""}',
        '{"qid": "1", "query": "flea life"}\r\n{"qid": 2, "query": ""}\r\n',
        '[\n{"id": 1, "question": "flea life"},\n{"id": 2, "question": ""}\n]',
        "1\tflea life\n2\t\n",
        "query_id\tquery\n1\tflea life\n2\t\n",
        "qid,text\n1,flea life\n2,\n",
    ],
)
def test_every_layout_of_queries(tmp_path: Path, text: str) -> None:
    assert read_queries(_file(tmp_path, text)) == [Query("1", "flea life"), Query("2", "")]


def test_queries_keep_instruction_and_count_what_is_not_read(tmp_path: Path) -> None:
    bad = Bad()
    path = _file(tmp_path, '{"_id": "1", "text": "x", "instruction": "find code", "answers": ["a"]}\n')
    assert read_queries(path, bad=bad) == [Query("1", "x", "find code")]
    assert bad.noticed == {"query field 'answers' not read": 1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"_id": "1", "text": "x"}\n{"_id": "2"}\n', ":2: no query text"),
        (
            '{"_id": "1", "text": "x"}\n{"_id": true, "text": "x"}\n',
            ":2: field '_id': expected a string or a whole number",
        ),
        ('{"_id": "1", "text": "x"}\n{"_id": "2", "text": "x"\n', ":2: not JSON"),
        ('{"_id": "1", "text": "x"}\n["2"]\n', ":2: expected a JSON object, found a list"),
        ('{"_id": "1", "text": "x"}\n{"_id": "1", "text": "y"}\n', ":2: query '1' has another text at line 1"),
        ("1\tx\nno tab here\n", ":2: expected 'query id<tab>text'"),
        ("qid,text\n1,x,y\n", ":2: expected 2 cells"),
        ('[{"_id": "1", "text": "x"},\n {"_id": 3.5, "text": "x"}]', ":2: field '_id'"),
        ('[{"_id": "1", "text": "x"},\n {"_id" "x"}]', ":2: not JSON"),
        ('[{"_id": "1", "text": "x"}', ":1: expected ','"),
        ('[{"_id": "1", "text": "x"},]', ":1: a comma before the end"),
        ('[{"_id": "1", "text": "x"}] more', ":1: text after the end"),
    ],
)
def test_wrong_queries_name_the_line(tmp_path: Path, text: str, problem: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(FormatError) as caught:
        read_queries(path)
    assert problem in str(caught.value).removeprefix(str(path))


def test_repeated_queries_are_read_once_and_all_by_iteration(tmp_path: Path) -> None:
    path, bad = _file(tmp_path, "1\tx\n1\tx\n"), Bad()
    assert read_queries(path, bad=bad) == [Query("1", "x")]
    assert bad.noticed["repeated queries"] == 1
    assert len(list(iter_queries(path))) == 2


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), unique_by=lambda pair: pair[0], max_size=6))
def test_queries_round_trip_as_jsonl_whatever_they_hold(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("q") / "queries.jsonl"
    queries = [Query(query_id, text) for query_id, text in pairs]
    write_beir_queries(queries, path)
    assert read_queries(path) == queries


def test_half_a_surrogate_pair_survives_in_json_and_is_refused_in_tsv(tmp_path: Path) -> None:
    queries = [Query("1", "half \ud83d")]
    write_beir_queries(queries, tmp_path / "q.jsonl")
    assert read_queries(tmp_path / "q.jsonl") == queries
    with pytest.raises(InputError, match="surrogate"):
        write_tsv_queries(queries, tmp_path / "q.tsv")


def test_tabs_in_tsv_queries_become_spaces_and_are_counted(tmp_path: Path) -> None:
    assert write_tsv_queries([Query("1", "a\tb\nc"), Query("2", "x")], tmp_path / "q.tsv") == 1
    assert read_queries(tmp_path / "q.tsv") == [Query("1", "a b c"), Query("2", "x")]


CLASSIC = """<top>

<num> Number: 301
<title> International Organized Crime

<desc> Description:
Identify organizations that participate in
international criminal activity &amp; more.

<narr> Narrative:
A relevant document must.

</top>
<top>
<num> Number: 302 </num>
<title> Polio </title>
<desc> Description: Is it gone?</desc>
</top>
"""
XML = """<?xml version="1.0"?>
<topics task="covid">
<topic number="1"><query>coronavirus origin</query><question>what is the origin</question></topic>
<topic number="2"><query>response</query><question>how</question></topic>
</topics>
"""


def test_topics(tmp_path: Path) -> None:
    path = _file(tmp_path, CLASSIC)
    assert read_queries(path) == [Query("301", "International Organized Crime"), Query("302", "Polio")]
    both = read_topics(path, field="title+desc")[0].text
    assert both.startswith("International Organized Crime Identify organizations that participate in international")
    assert both.endswith("criminal activity & more.")
    assert read_topics(_file(tmp_path, XML), field="desc")[0] == Query("1", "what is the origin")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<top>\n<num> Number: 1\n<title> x\n", ":1: the topic has no end tag"),
        ("<top>\n<num> 1\n<title> x\n</top>\n<top>\n<title> x\n</top>\n", ":5: the topic has no number"),
        ("<top>\n<num> 1\n<desc> x\n</top>\n", ":1: topic 1 has no <title>"),
    ],
)
def test_wrong_topics_name_the_line(tmp_path: Path, text: str, problem: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(FormatError) as caught:
        read_queries(path)
    assert problem in str(caught.value)


def test_topics_round_trip(tmp_path: Path) -> None:
    queries = [Query("1", "cats & <dogs>"), Query("2", "é")]
    write_topics(queries, tmp_path / "t")
    assert read_topics(tmp_path / "t") == queries


def test_deeply_nested_json_is_an_error_not_a_crash(tmp_path: Path) -> None:
    path = _file(tmp_path, '{"_id": ' + "[" * 100_000 + "]" * 100_000 + "}\n")
    with pytest.raises(FormatError, match="nested too deeply"):
        read_queries(path)


def test_long_arrays_stream_across_chunks(tmp_path: Path) -> None:
    records = [{"_id": str(i), "text": "é" * (i * 50 % 9000)} for i in range(400)]
    path = _file(tmp_path, json.dumps(records, ensure_ascii=False, indent=1))
    assert [q.text for q in read_queries(path)] == [r["text"] for r in records]
