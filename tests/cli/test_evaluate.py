"""`shortlist evaluate` and `shortlist compare` end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shortlist.cli import main
from shortlist.core.types import Candidate, Document, Query, Ranking
from shortlist.evaluate import compare, evaluate
from shortlist.formats import write

Captured = Any
QUERIES = [f"q{i}" for i in range(8)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A BEIR folder with judgements, and two runs: in `good` the relevant document is first, in `poor` third."""
    (tmp_path / "qrels").mkdir()
    judged = "".join(f"{q}\trel\t2\n{q}\tjunk\t0\n" for q in [*QUERIES, "absent"])
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged + "barren\tx\t0\n")
    for name, docs in (("good", ["rel", "junk", "other"]), ("poor", ["junk", "other", "rel"])):
        lines = [f"{q} Q0 {d} {r} {10 - r} t\n" for q in QUERIES for r, d in enumerate(docs, 1)]
        (tmp_path / f"{name}.trec").write_text("".join(lines) + "stranger Q0 rel 1 1 t\n")
    return tmp_path


def test_table_with_first_stage_ceiling_and_notes(data: Path, capsys: Captured) -> None:
    arguments = [str(data / "good.trec"), "--data", str(data), "--first-stage", str(data / "poor.trec"), "--ci"]
    assert main(["evaluate", *arguments, "--measures", "nDCG@10 RR@10 P@1 NumRet"]) == 0
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if "│" in line]
    assert [row.split("│")[1].strip() for row in rows] == ["first stage", "good", "95 % interval", "ceiling"]
    assert rows[0].split("│")[3].strip() == "0.2667"  # RR: 1/3 for 8 of 10 judged queries
    assert [cell.strip() for cell in rows[1].split("│")[2:6]] == ["0.8000", "0.8000", "0.8000", "24"]
    assert [cell.strip() for cell in rows[3].split("│")[2:6]] == ["0.8000", "0.8000", "0.8000", "24"]
    assert "- 2 of 10 judged queries are missing from the run and count as 0: absent, barren" in out
    assert "- first stage: 2 of 10 judged queries are missing" in out
    assert "1 queries of the run have no judgements and are ignored: stranger" in out
    assert "33.3% of the documents in the first 10 places (8 of 24) are unjudged" in out
    assert "1 judged queries have no relevant document" in out


def test_json_holds_everything(data: Path, capsys: Captured) -> None:
    arguments = [str(data / "good.trec"), str(data / "poor.trec"), "--qrels", str(data / "qrels" / "test.tsv")]
    assert main(["evaluate", *arguments, "--measures", "RR", "--json", "--ci"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measures"] == ["RR"]
    good, poor = found["runs"]
    assert (good["name"], good["means"]["RR"], poor["means"]["RR"]) == ("good", 0.8, pytest.approx(0.8 / 3))
    expected = evaluate(data / "good.trec", data, "RR").to_dict()
    assert good == expected | {"intervals": good["intervals"]}
    assert good["intervals"]["RR"][0] < 0.8 < good["intervals"]["RR"][1]


def test_values_per_query(data: Path, capsys: Captured) -> None:
    arguments = ["evaluate", str(data / "poor.trec"), "--data", str(data), "--measures", "RR P@5", "--per-query"]
    assert main([*arguments, "-"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["run\tquery_id\tRR\tP@5", f"poor\tq0\t{1 / 3!r}\t0.2"]
    assert len(lines) == 11
    assert lines[-2:] == ["poor\tabsent\t0.0\t0.0", "poor\tbarren\t0.0\t0.0"]
    assert main([*arguments, str(data / "values.tsv")]) == 0
    assert (data / "values.tsv").read_text().splitlines() == lines
    captured = capsys.readouterr()
    assert "10 judged queries" in captured.out
    assert "values.tsv" in captured.err


def test_ties_are_counted_and_their_reach_is_shown(data: Path, capsys: Captured) -> None:
    (data / "tied.trec").write_text("".join(f"{q} Q0 {d} 1 1.0 t\n" for q in QUERIES for d in ("rel", "junk")))
    assert main(["evaluate", str(data / "tied.trec"), "--data", str(data), "--measures", "RR"]) == 0
    out = capsys.readouterr().out
    assert "16 documents in 8 queries have tied scores; by their order alone RR lies in 0.4000..0.8000" in out


def test_reranked_jsonl_has_its_first_stage_row_and_unscored_queries(data: Path, capsys: Captured) -> None:
    before = [
        Ranking(Query(q, ""), tuple(Candidate(Document(d, ""), s) for d, s in (("junk", 2.0), ("rel", 1.0))))
        for q in QUERIES
    ]
    after = [r.reorder([1, 0]) for r in before[:7]] + [
        Ranking(before[7].query, before[7].candidates, status="unscored", reason="the model failed")
    ]
    write(after, data / "reranked.jsonl")
    assert main(["evaluate", str(data / "reranked.jsonl"), "--data", str(data), "--measures", "RR"]) == 0
    out = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:3]] for line in out.splitlines() if "│" in line]
    assert rows == [["first stage", "0.4000"], ["reranked", "0.7000"], ["ceiling", "0.8000"]]
    assert "1 of 10 judged queries were not scored by the reranker and count as 0: q7" in out


def test_bad_lines_stop_or_are_counted(data: Path, capsys: Captured) -> None:
    path = data / "bad.trec"
    path.write_text("q0 Q0 rel 1 2.0 t\nq0 Q0 junk\nq1 Q0 junk 1 2.0 t\n")
    arguments = ["evaluate", str(path), "--data", str(data), "--measures", "RR"]
    assert main(arguments) == 2
    assert "bad.trec:2: expected 6 columns" in capsys.readouterr().err
    assert main([*arguments, "--skip-bad"]) == 0
    out, err = capsys.readouterr()
    assert "left out 1 malformed lines" in err
    assert "bad.trec:2" in err
    assert "0.1000" in out


def test_a_format_that_cannot_be_guessed_can_be_named(data: Path, capsys: Captured) -> None:
    path = data / "odd"
    path.write_text("".join(f"{q}\trel\t1\n" for q in QUERIES))
    arguments = ["evaluate", str(path), "--data", str(data), "--measures", "RR"]
    assert main([*arguments, "--from", "msmarco-run"]) == 0
    assert "0.8000" in capsys.readouterr().out
    assert main([*arguments, "--from", "msmarco"]) == 2
    assert "did you mean" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["evaluate", "good.trec"], "either --qrels FILE or --data FOLDER"),
        (["evaluate", "good.trec", "--qrels", "x", "--data", "y"], "either --qrels FILE or --data FOLDER"),
        (["evaluate", "good.trec", "--data", ".", "--measures", "nDGC@10"], "did you mean 'nDCG'"),
        (["evaluate", "good.trec", "--data", ".", "--split", "dev"], "splits there: test"),
        (["evaluate", "good.trec", "good.trec", "--data", "."], "given twice"),
        (["evaluate", "good.trec", "--data", ".", "--json", "--per-query", "-"], "both want standard output"),
        (["evaluate", "none.trec", "--data", "."], "no such file"),
        (["compare", "good.trec", "--data", "."], "at least two runs"),
        (["compare", "good.trec", "poor.trec", "--data", ".", "--baseline", "bm25"], "no run named 'bm25'"),
        (["compare", "good.trec", "poor.trec", "--data", ".", "--confidence", "95"], "between 0 and 1"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], complaint: str, data: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "nDGC@10" in arguments:
        pytest.importorskip("ir_measures")
    monkeypatch.chdir(data)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert complaint in err
    assert (out, err.count("\n")) == ("", 1)


def test_compare_table(data: Path, capsys: Captured) -> None:
    arguments = [str(data / "good.trec"), str(data / "poor.trec"), "--data", str(data), "--baseline", "poor"]
    assert main(["compare", *arguments, "--measures", "RR P@1", "--correction", "bonferroni"]) == 0
    out = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]
    assert rows[0][:5] == ["good", "RR", "0.2667", "0.8000", "+0.5333"]
    assert rows[1][4] == "+0.8000"
    assert rows[0][8] == "8 / 2 / 0"
    assert "good, most changed by RR: q0 +0.667, q1 +0.667" in out
    assert "poor: 2 of 10 judged queries are missing" in out


@pytest.mark.parametrize("test", ["t", "permutation", "wilcoxon"])
def test_compare_json_is_what_the_library_says(test: str, data: Path, capsys: Captured) -> None:
    paths = [str(data / "good.trec"), str(data / "poor.trec")]
    arguments = [*paths, "--data", str(data), "--baseline", paths[1], "--measures", "RR P@1", "--test", test]
    assert main(["compare", *arguments, "--json", "--seed", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    runs = {"good": paths[0], "poor": paths[1]}
    assert found == compare(runs, data, "RR P@1", baseline="poor", test=test, seed=3).to_dict()  # type: ignore[arg-type]
    assert [row["measure"] for row in found["rows"]] == ["RR", "P@1"]
