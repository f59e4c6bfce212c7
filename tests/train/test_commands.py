"""``shortlist train``, ``distil``, ``merge`` and ``export`` as a user runs them."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shortlist.backends.fake.endpoint import FakeEndpoint
from shortlist.backends.fake.troubles import Troubles
from shortlist.cli import main
from shortlist.cli._training import add_training, recipe_of
from shortlist.data.dataset import load_dataset
from shortlist.formats import read, write
from shortlist.train.generated import generated, lexicon


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
    asked = len(load_dataset(held).judged())
    assert said.err.index(f"measuring on {asked} held-out queries") < said.err.index("2 updates on")
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
    (data / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n")
    assert main([*command, "--resume"]) == 2  # its samples hold the judgements of before
    assert "other judgements" in capsys.readouterr().err


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


def test_scores_of_a_first_stage_are_not_taken_for_a_teachers(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = beir(tmp_path / "data", 1)
    assert main(["mine", "--data", str(data), "--negatives", "2", "-o", str(tmp_path / "mined.jsonl")]) == 0
    command = ["train", str(tmp_path / "mined.jsonl"), "--base", str(models["encoder"]), *SHORT]
    capsys.readouterr()
    assert main([*command, "--config", "distil-bi-encoder", "-o", str(tmp_path / "scores")]) == 0
    assert "mined.jsonl: its scores are those of the first stage" in capsys.readouterr().err
    assert "scored by: the first stage" in (tmp_path / "scores" / "README.md").read_text()
    assert main([*command, "--config", "labels-cross-encoder", "-o", str(tmp_path / "labels")]) == 0
    assert "its scores" not in capsys.readouterr().err


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "--list"])
    assert ended.value.code == 0
    listed = capsys.readouterr().out
    assert "margin-mse" in listed and "all-MiniLM-L6-v2" in listed


def test_parameters_set_for_the_baseline_are_the_named_baselines(tmp_path: Path) -> None:
    def gate_of(*more: str) -> Any:
        parser = argparse.ArgumentParser()
        add_training(parser)
        return recipe_of(parser.parse_args(["-o", "x", *more]), "distil-bi-encoder").gate

    set_alone = ("--set", "gate.params.model=shortlist-fast-en")
    assert dict(gate_of("--baseline", "bi-encoder", *set_alone).params) == {"model": "shortlist-fast-en"}
    other = ("--set", "gate.baseline=late-interaction", *set_alone)
    assert dict(gate_of("--baseline", "bi-encoder", *other).params) == {}  # they were the other method's
    assert dict(gate_of("--baseline", "late-interaction", *other).params) == {"model": "shortlist-fast-en"}


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


def test_the_difference_of_an_export_is_to_the_model_as_given(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = beir(tmp_path / "held", 3)
    command = ["export", str(models["encoder"]), "--form", "fp32", "--held-out", str(held)]
    assert main([*command, "-o", str(tmp_path / "same")]) == 0
    same = capsys.readouterr().out
    assert "+0.0000..+0.0000 | 0 / 8 / 0 |" in same
    assert main([*command, "--layers", "0", "-o", str(tmp_path / "cut")]) == 0
    cut = capsys.readouterr().out
    assert "0 / 8 / 0" not in cut  # a layer is missing, and that is seen
    before = [page.splitlines()[-3].split("|")[3] for page in (same, cut)]
    assert before[0] == before[1]
    assert "accepted" not in same + cut
    assert main(["export", str(models["encoder"]), "--held-out", str(tmp_path), "-o", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()


def test_the_words_to_keep_are_those_of_records_not_their_syntax(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    title, text, other = lexicon(3)
    (tmp_path / "words.txt").write_text(f"{title} {text}\n")
    record = {"_id": other, "title": title, "text": text, other: "x"}
    (tmp_path / "corpus.jsonl").write_text(json.dumps(record) + "\n")
    kept = []
    for name in ("words.txt", "corpus.jsonl"):
        command = ["export", str(models["encoder"]), "--words-of", str(tmp_path / name), "-o"]
        assert main([*command, str(tmp_path / f"of-{name}")]) == 0
        kept.append((tmp_path / f"of-{name}" / "tokenizer.json").read_text())
    assert kept[0] == kept[1]
    (tmp_path / "corpus.jsonl").write_text('{"_id": "ka"}\n')
    capsys.readouterr()
    for wrong, said in ((tmp_path, "is a folder"), (tmp_path / "corpus.jsonl", "corpus.jsonl:1: expected a record")):
        assert main(["export", str(models["encoder"]), "--words-of", str(wrong), "-o", str(tmp_path / "p")]) == 2
        assert said in capsys.readouterr().err


def test_weights_of_an_average_are_not_rescaled_in_silence(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["merge", *[str(models["encoder"])] * 2, "-o"]
    assert main([*command, str(tmp_path / "a"), "--weights", "0.5,1.5"]) == 0
    assert "add up to 2; scaled to 0.25, 0.75" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "b"), "--weights", "0.7,0.3"]) == 0
    assert "scaled" not in capsys.readouterr().err


def test_a_start_that_cannot_work_says_why_and_leaves_nothing(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples, output = tmp_path / "a.jsonl", tmp_path / "model"
    write(generated(4, 6), samples)
    command = ["train", "--config", "distil-bi-encoder", "-o", str(output), "--base", str(models["encoder"]), *SHORT]
    teacher = ["distil", "--student", "bi-encoder", "--teacher", "late-interaction", "-o", str(output)]
    for wrong, said in (
        ([*command, str(samples), "--resume"], "holds no training"),
        ([*teacher, str(samples), "--resume"], "holds no training"),
        ([*command, "--licence", "MIT"], "name them, or write the licence"),
        ([*command, str(samples), "--held-out", str(tmp_path / "none")], "none"),
        ([*teacher, "--data", str(tmp_path / "none")], "none"),
    ):
        assert main(wrong) == 2
        assert said in capsys.readouterr().err
        assert not output.exists()
    assert main([*command, str(samples), "--set", "settings.save_every=1"]) == 0
    assert main([*command, str(samples), "--set", "settings.save_every=1"]) == 2
    assert "--resume it" in capsys.readouterr().err


def test_a_run_without_texts_is_not_trained_on(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(generated(4, 6), tmp_path / "r.trec")
    write(generated(4, 6), tmp_path / "whole.jsonl")
    options = ["--config", "distil-bi-encoder", "--base", str(models["encoder"]), "-o", str(tmp_path / "model"), *SHORT]
    assert main(["train", str(tmp_path / "r.trec"), *options]) == 2
    assert "no texts (4 of 4 samples have an empty query or no document with text)" in capsys.readouterr().err
    assert main(["train", str(tmp_path / "r.trec"), str(tmp_path / "whole.jsonl"), *options]) == 0
    assert "4 samples left out: an empty query" in capsys.readouterr().err


def test_the_held_out_queries_alone_are_refused_before_a_teacher_is_asked(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = beir(tmp_path / "held", 1)
    write(generated(8, 6, seed=1, name="other-"), tmp_path / "same.jsonl")
    said = "all 8 training queries are queries of held"
    common = ["--held-out", str(held), "--base", str(models["encoder"]), *SHORT, "-o", str(tmp_path / "model")]
    assert main(["train", "--config", "distil-bi-encoder", str(tmp_path / "same.jsonl"), *common]) == 2
    assert said in capsys.readouterr().err
    with FakeEndpoint() as endpoint:
        teacher = ["--teacher", "rankgpt", "--model", f"{endpoint.url}/v1", "--option", "model=fake", "--option",
                   'api_key_env=""', "--student", "bi-encoder"]  # fmt: skip
        assert main(["distil", "--data", str(held), *teacher, *common]) == 2
        assert said in capsys.readouterr().err
        assert main(["distil", str(tmp_path / "same.jsonl"), *teacher, *common]) == 2
        assert said in capsys.readouterr().err
        assert endpoint.seen == []


@pytest.mark.parametrize("answers", [[], ["--answers", "clean"]])
def test_a_teacher_without_a_usable_answer_is_named(
    answers: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeEndpoint(troubles=Troubles(rate=1.0, kinds=("refuse",))) as endpoint:
        command = ["distil", "--teacher", "rankgpt", "--model", f"{endpoint.url}/v1", "--option", "model=fake",
                   "--option", 'api_key_env=""', "--student", "dear-stage-2", *answers, "--smoke",
                   "-o", str(tmp_path / "model")]  # fmt: skip
        for _ in range(2):  # the second time the file is there already
            assert main(command) == 2
            said = capsys.readouterr().err
            assert "gave no usable answer for any of 24 queries (" in said
            assert "--restart" in said
            assert "--from" not in said


def test_answers_of_a_teacher_that_writes_none_are_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["distil", "--teacher", "late-interaction", "--student", "dear-stage-2", "--answers", "clean", "--smoke"]
    assert main([*command, "-o", str(tmp_path / "model")]) == 2
    assert "any of 24 queries (24 answers without a usable answer)" in (said := capsys.readouterr().err)
    assert "leave --answers out" in said


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
