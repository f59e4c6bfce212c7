"""``shortlist convert`` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shortlist.cli import main

RUN = "q1 Q0 d1 1 3.0 t\nq1 Q0 d2 2 2.0 t\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run.trec").write_text(RUN)
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d1", "text": "one"}\n{"_id": "d2", "text": "two", "title": "T"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "which"}\n')
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td2\t1\n")
    return tmp_path


def _convert(folder: Path, *arguments: str) -> int:
    return main(["convert", *(str(folder / a[1:]) if a.startswith("@") else a for a in arguments)])


def test_the_report_goes_to_standard_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--corpus", "@corpus.jsonl", "--queries", "@queries.jsonl", "--qrels", "@qrels.tsv"]
    assert _convert(folder, "@run.trec", "@train.jsonl", "--to", "flag-embedding-train", *options) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "lost: document ids of 2 documents" in shown.err
    assert "note: 1 unjudged documents written as negatives" in shown.err
    record = json.loads((folder / "train.jsonl").read_text())
    assert record == {
        "query": "which",
        "pos": ["T two"],
        "neg": ["one"],
        "pos_scores": [2.0],
        "neg_scores": [3.0],
    }


def test_json_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _convert(folder, "@run.trec", "@out.jsonl", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["source_format"], report["target_format"], report["lost"]) == ("trec-run", "shortlist", [])


def test_standard_output_holds_the_file_alone(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _convert(folder, "@run.trec", "-", "--to", "msmarco-run") == 0
    assert capfd.readouterr().out == "q1\td1\t1\nq1\td2\t2\n"
    assert _convert(folder, "@run.trec", "-", "--to", "msmarco-run", "--json") == 2
    assert "write OUT to a file" in capfd.readouterr().err


def test_a_malformed_line_is_one_line_of_error_unless_skipped(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run.trec").write_text(RUN + "q1 Q0 d3\n")
    assert _convert(folder, "@run.trec", "@out.jsonl") == 2
    error = capsys.readouterr().err
    assert "run.trec:3: expected 6 columns" in error and "which was guessed" in error
    assert error.count("\n") == 1
    assert not (folder / "out.jsonl").exists()
    assert _convert(folder, "@run.trec", "@out.jsonl", "--skip-bad") == 0
    assert "skipped: 1 malformed lines" in capsys.readouterr().err


def test_ungrouped_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run.trec").write_text("q1 Q0 a 1 3 t\nq2 Q0 b 1 2 t\nq1 Q0 c 2 1 t\n")
    assert _convert(folder, "@run.trec", "@out.trec") == 2
    assert "--ungrouped" in capsys.readouterr().err
    assert _convert(folder, "@run.trec", "@out.trec", "--ungrouped") == 0
    assert [line.split()[2] for line in (folder / "out.trec").read_text().splitlines()] == ["a", "c", "b"]


def test_unknown_formats_suggest_the_nearest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _convert(folder, "@run.trec", "@out", "--to", "rankllm") == 2
    assert "did you mean 'rank-llm'" in capsys.readouterr().err
