"""``shortlist mine`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shortlist.cli import main
from shortlist.formats import read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A BEIR folder of 40 documents about two things, with one judged document per query."""
    data = tmp_path / "data"
    (data / "qrels").mkdir(parents=True)
    topics = ("coffee", "rivers")
    corpus = [
        {"_id": f"d{i}", "text": f"{topics[i % 2]} fact number {i}" + (" brewing" if i == 4 else "")} for i in range(40)
    ]
    (data / "corpus.jsonl").write_text("".join(json.dumps(d) + "\n" for d in corpus))
    queries = [
        {"_id": "q1", "text": "brewing coffee"},
        {"_id": "q2", "text": "rivers"},
        {"_id": "q3", "text": "coffee"},
    ]
    (data / "queries.jsonl").write_text("".join(json.dumps(q) + "\n" for q in queries))
    (data / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td4\t1\nq2\td3\t1\nq3\td2\t0\n")
    return data


def test_a_training_file_from_a_folder(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "train.jsonl"
    assert main(["mine", "--data", str(folder), "--negatives", "3", "--take", "top", "-o", str(output)]) == 0
    said = capsys.readouterr().err
    assert "2 training samples" in said and "1 queries left out, the first q3: no document is judged relevant" in said
    samples = list(read(output))
    assert [s.query.id for s in samples] == ["q1", "q2"]
    assert [s.ids[0] for s in samples] == ["d4", "d3"] and all(len(s.ids) == 4 for s in samples)
    manifest = json.loads((tmp_path / "train.jsonl.manifest.json").read_text())
    assert manifest["stage"]["negatives"] == 3 and "corpus.jsonl" in manifest["inputs"]
    again = tmp_path / "again.jsonl"
    assert main(["mine", "--data", str(folder), "--negatives", "3", "--take", "top", "-o", str(again), "--quiet"]) == 0
    assert again.read_bytes() == output.read_bytes()


def test_a_teacher_scores_and_other_dialects_are_written(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "train.jsonl"
    given = ["mine", "--data", str(folder), "--with", "late-interaction", "--margin", "0.01", "--negatives", "2"]
    assert main([*given, "--to", "flag-embedding-train", "-o", str(output), "--quiet"]) == 0
    first = json.loads(output.read_text().splitlines()[0])
    assert first["pos"] == ["coffee fact number 4 brewing"] and len(first["neg"]) == 2
    assert max(first["neg_scores"]) <= first["pos_scores"][0] - 0.01


def test_evaluation_sets_are_kept_out(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluation = tmp_path / "evaluation"
    (evaluation / "qrels").mkdir(parents=True)
    (evaluation / "queries.jsonl").write_text(json.dumps({"_id": "e1", "text": "Brewing coffee?"}) + "\n")
    (evaluation / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\ne1\tx\t1\n")
    output = tmp_path / "train.jsonl"
    assert main(["mine", "--data", str(folder), "--against", str(evaluation), "-o", str(output)]) == 0
    assert "1 training queries left out: they are queries of evaluation" in capsys.readouterr().err
    assert [s.query.id for s in read(output)] == ["q2"]


def test_what_is_missing_is_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run.trec"
    run.write_text("q1 Q0 d1 1 2.0 x\n")
    texts = ["--corpus", str(folder / "corpus.jsonl"), "--queries", str(folder / "queries.jsonl")]
    output = ["-o", str(tmp_path / "out.jsonl")]
    assert main(["mine", "--run", str(run), *texts, *output]) == 2
    assert "a run holds no judgements; give them with --qrels FILE" in capsys.readouterr().err
    assert main(["mine", "--data", str(folder), "--ranks", "10", *output]) == 2
    assert "--ranks '10': expected FIRST-LAST" in capsys.readouterr().err
    judged = ["--qrels", str(folder / "qrels" / "train.tsv")]
    assert main(["mine", "--run", str(run), *texts, *judged, *output]) == 0
    assert [s.ids for s in read(tmp_path / "out.jsonl")] == [("d4", "d1")]


def test_a_file_without_judgements_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from shortlist.check import make_ranking
    from shortlist.formats.jsonl import write_jsonl

    bare = tmp_path / "candidates.jsonl"
    write_jsonl([make_ranking(5)], bare)
    assert main(["mine", str(bare), "-o", str(tmp_path / "train.jsonl")]) == 2
    said = capsys.readouterr().err
    assert "candidates.jsonl holds no judgements" in said and "--qrels FILE" in said
    assert [p.name for p in tmp_path.iterdir()] == ["candidates.jsonl"]
