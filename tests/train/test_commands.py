"""``shortlist train``, ``distil``, ``merge`` and ``export`` as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shortlist.cli import main
from shortlist.formats import read, write
from shortlist.train.generated import generated


def beir(folder: Path, seed: int) -> Path:
    """A generated BEIR folder without a first stage."""
    rankings = generated(8, 6, seed=seed, name=f"s{seed}-q")
    (folder / "qrels").mkdir(parents=True)
    documents = [c.document for r in rankings for c in r.candidates]
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"_id": d.id, "text": d.text}) + "\n" for d in documents))
    lines = [json.dumps({"_id": r.query.id, "text": r.query.text}) + "\n" for r in rankings]
    (folder / "queries.jsonl").write_text("".join(lines))
    rows = [f"{r.query.id}\t{c.id}\t{c.document.metadata['grade']}\n" for r in rankings for c in r.candidates]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))
    return folder


SHORT = ["--set", "settings.steps=2", "--set", "settings.device=cpu", "--set", "student.max_length=64"]


def test_a_model_is_distilled_and_measured(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, held = beir(tmp_path / "data", 1), beir(tmp_path / "held", 2)
    output = tmp_path / "model"
    command = ["distil", "--data", str(data), "--teacher", "late-interaction", "--student", "cross-encoder",
               "--base", str(models["encoder"]), "--held-out", str(held), "-o", str(output), *SHORT]  # fmt: skip
    assert main(command) == 4  # two updates of a random model are no gain
    said = capsys.readouterr()
    assert said.out == ""
    assert "8 queries taught" in said.err
    assert "not accepted" in said.err
    assert f"--with cross-encoder --model {output}" in said.err
    taught = list(read(output / "training" / "taught.jsonl"))
    assert all(c.score is not None for r in taught for c in r.candidates)
    assert any(c.document.metadata.get("grade") == 3 for r in taught for c in r.candidates)
    verdict = json.loads((output / "training" / "gate.json").read_text())
    assert [row["set"] for row in verdict["rows"]] == ["held", "all queries"]
    assert "scored by: late-interaction" in (output / "README.md").read_text()
    before = (output / "training" / "taught.jsonl").stat().st_mtime_ns
    assert main([*command, "--resume"]) == 4
    assert (output / "training" / "taught.jsonl").stat().st_mtime_ns == before  # the teacher was not asked again
    assert main([*command, "--resume", "--depth", "3"]) == 2
    assert "another teacher" in capsys.readouterr().err
    run = ["rerank", "--data", str(held), "--with", "cross-encoder", "--model", str(output), "-o", str(tmp_path / "r")]
    assert main([*run, "--quiet"]) == 0


def test_a_recipe_is_trained_on_files(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for i, path in enumerate(files):
        write(generated(6, 6, seed=i, name=f"f{i}-q"), path)
    command = ["train", "--config", "distil-bi-encoder", *map(str, files), "--base", str(models["encoder"]), *SHORT]
    assert main([*command, "-o", str(tmp_path / "model"), "--licence", "MIT", "--licence", "CC0-1.0"]) == 0
    assert "2 updates on 12 samples" in capsys.readouterr().err
    assert "licence: CC0-1.0" in (tmp_path / "model" / "README.md").read_text()
    assert main([*command, "-o", str(tmp_path / "other"), "--licence", "MIT"]) == 2
    assert "1 licences for 2" in capsys.readouterr().err
    assert main(["train", "--config", "distil-bi-encoder", "-o", str(tmp_path / "none")]) == 2
    assert "no training file" in capsys.readouterr().err
    assert main([*command, "-o", str(tmp_path / "x"), "--set", "settings.stepz=2"]) == 2
    assert "stepz" in capsys.readouterr().err


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "--list"])
    assert ended.value.code == 0
    assert "margin-mse" in capsys.readouterr().out


def test_merge_and_export(models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder, held = str(models["encoder"]), beir(tmp_path / "held", 3)
    assert main(["merge", encoder, encoder, "--weights", "0.7,0.3", "-o", str(tmp_path / "mean")]) == 0
    assert main(["merge", encoder, encoder, "--weights", "a,b", "-o", str(tmp_path / "x")]) == 2
    (tmp_path / "words.txt").write_text("bo\nda\n")
    command = [
        "export",
        str(tmp_path / "mean"),
        "-o",
        str(tmp_path / "small"),
        "--layers",
        "0",
        "--held-out",
        str(held),
    ]
    assert main([*command, "--words-of", str(tmp_path / "words.txt")]) == 0
    said = capsys.readouterr()
    assert "MB of weights" in said.err
    assert "tokens kept" in said.err
    assert "all queries" in said.out
    assert main(["export", encoder, "-o", str(tmp_path / "y"), "--layers", "0;1"]) == 2


@pytest.mark.slow
def test_two_processes_train_one_model(models: dict[str, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "shortlist", "train"]
    options = ["--config", "distil-cross-encoder", "--smoke", "-o", str(tmp_path / "model")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [*command, *options, "--set", "settings.device=cpu"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("6 updates on 24 samples") == 1
    rows = [json.loads(line) for line in (tmp_path / "model" / "training" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 7))
    assert [row["step"] for row in rows if "dev_nDCG@10" in row] == [3, 6]  # looked at once, by the first process
    record = json.loads((tmp_path / "model" / "training" / "manifest.json").read_text())
    assert record["trained"]["seen"] == 8
    if not _has_gpu():
        alone = subprocess.run(
            [*command, *options[:-1], str(tmp_path / "x")], env=environment, capture_output=True, text=True
        )
        assert alone.returncode != 0
        assert "device='cpu'" in alone.stderr


def _has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())
