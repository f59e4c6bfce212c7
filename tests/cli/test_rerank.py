"""``shortlist rerank``: every kind of input, configuration, budgets, errors, and a kill at any moment."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from shortlist.cli import main
from shortlist.formats import read, read_rankings, write


def runs(path: Path) -> dict[str, list[tuple[str, float]]]:
    found = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        query_id, _, doc_id, _, score, _ = line.split()
        found[query_id].append((doc_id, float(score)))
    return found


def rerank(*args: object) -> int:
    return main(["rerank", *map(str, args), "--quiet"])


@pytest.fixture
def first_stage(folder: Path) -> Path:
    """A first-stage run for ``folder``, made by the command itself."""
    assert rerank("--data", folder, "-o", folder.parent / "made.trec") == 0
    return folder.parent / "made.first-stage.trec"


def test_a_beir_folder_is_retrieved_reranked_and_recorded(folder: Path) -> None:
    output = folder.parent / "out.trec"
    assert rerank("--data", folder, "-o", output, "--top-k", 5) == 0
    done, first = runs(output), runs(folder.parent / "out.first-stage.trec")
    assert set(done) == set(first) and len(done) == 6
    for query_id, rows in done.items():
        scores = [score for _, score in rows]
        assert len(rows) <= 5 and all(a > b for a, b in pairwise(scores))
        assert {doc_id for doc_id, _ in rows} <= {doc_id for doc_id, _ in first[query_id]}
    manifest = json.loads((folder.parent / "out.trec.manifest.json").read_text())
    assert manifest["method"] == "late-interaction" and manifest["k"] == 5 and manifest["depth"] == 100
    assert manifest["report"]["statuses"] == {"ranked": 6}
    assert set(manifest["inputs"]) == {"corpus.jsonl", "queries.jsonl", "qrels/test.tsv"}


def test_a_run_with_its_texts_gives_the_same_as_the_folder(folder: Path, first_stage: Path) -> None:
    texts = ("--corpus", folder / "corpus.jsonl", "--queries", folder / "queries.jsonl")
    assert rerank("--run", first_stage, *texts, "-o", folder.parent / "again.trec") == 0
    assert (folder.parent / "again.trec").read_bytes() == (folder.parent / "made.trec").read_bytes()


def test_a_run_on_standard_input(folder: Path, first_stage: Path) -> None:
    texts = ["--corpus", str(folder / "corpus.jsonl"), "--queries", str(folder / "queries.jsonl")]
    command = [sys.executable, "-m", "shortlist", "rerank", "--run", "-", *texts, "-o", str(folder.parent / "in.trec")]
    subprocess.run(command, input=first_stage.read_bytes(), check=True)
    assert (folder.parent / "in.trec").read_bytes() == (folder.parent / "made.trec").read_bytes()


def test_a_jsonl_dialect_goes_in_and_rankings_with_texts_come_out(folder: Path, first_stage: Path) -> None:
    from shortlist.data.collection import Collection
    from shortlist.formats.queries import by_id, read_queries

    texts = {"queries": by_id(read_queries(folder / "queries.jsonl")), "corpus": Collection(folder / "corpus.jsonl")}
    write(read_rankings(first_stage, **texts), folder.parent / "requests.jsonl", format="rank-llm")
    assert rerank(folder.parent / "requests.jsonl", "-o", folder.parent / "out.jsonl") == 0
    done = list(read(folder.parent / "out.jsonl"))
    expected = runs(folder.parent / "made.trec")
    assert {r.query.id: list(r.ids) for r in done} == {q: [d for d, _ in rows] for q, rows in expected.items()}
    assert all(c.document.text and c.first_rank is not None for r in done for c in r.candidates)
    assert {r.scale for r in done} == {"relative"}


def test_parameters_come_from_the_command_line_before_the_configuration_file(folder: Path) -> None:
    config = folder.parent / "config.toml"
    config.write_text('method = "late-interaction"\ndepth = 7\n[params]\nfirst_stage = 0.0\nmax_length = 64\n')
    output = folder.parent / "out.trec"
    assert rerank("--data", folder, "-o", output, "--config", config, "--param", "max_length=32", "--top-k", 3) == 0
    manifest = json.loads((folder.parent / "out.trec.manifest.json").read_text())
    assert manifest["depth"] == 7 and manifest["stage"]["scorer"]["first_stage"] == 0.0
    assert max(map(len, runs(folder.parent / "out.first-stage.trec").values())) <= 7


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give one of INPUT, --data FOLDER or --run FILE; given: none"),
        (["--run", "x.trec"], "--corpus and --queries must say where the texts are"),
        (["--run", "x.trec", "--data", "y"], "given: data, run"),
        (["--data", "no-such-folder"], "no-such-folder"),
        (["--data", "FOLDER", "--with", "late-interacton"], "did you mean 'late-interaction'"),
        (["--data", "FOLDER", "--param", "colour=red"], "takes no parameter 'colour'"),
        (["--data", "FOLDER", "--param", "first_stge=0"], "did you mean 'first_stage'? it takes: "),
        (["--data", "FOLDER", "--with", "rankgpt", "--param", "context=9"], "goes into options (--option NAME=VALUE)"),
        (
            ["--data", "FOLDER", "--with", "remote", "--model", "http://127.0.0.1:9/rerank", "--option", "timeot=1"],
            "no option 'timeot' here; did you mean 'timeout'?",
        ),
        (["--data", "FOLDER", "--param", "=3"], "expected NAME=VALUE"),
        (["--data", "FOLDER", "--config", "no.toml"], "there is no such file"),
        (["--data", "FOLDER", "--split", "train"], "train"),
        (["--data", "FOLDER", "--batch", "0"], "expected a whole number from 1 up"),
        (["--data", "FOLDER", "--depth", "0"], "expected a whole number from 1 up"),
        (["--data", "FOLDER", "--top-k", "0"], "expected a whole number from 1 up"),
        (["--data", "FOLDER", "--language", "de"], "reads English, not de"),
        (["--data", "FOLDER", "--max-calls", "-1"], "expected 0 or more"),
    ],
)
def test_mistakes_are_one_clear_line_and_write_nothing(
    folder: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = folder.parent / "out.trec"
    given = [str(folder) if a == "FOLDER" else a for a in arguments]
    assert rerank(*given, "-o", output) == 2
    error = capsys.readouterr().err
    assert says in error and error.startswith("shortlist: ") and error.count("\n") == 1
    assert not output.exists()


def test_a_malformed_line_is_named_or_skipped_and_counted(
    folder: Path, first_stage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = first_stage.read_text().splitlines()
    first_stage.write_text("\n".join([*lines[:3], "q1 Q0 lost", *lines[3:]]) + "\n")
    given = ["--run", first_stage, "--corpus", folder / "corpus.jsonl", "--queries", folder / "queries.jsonl"]
    assert rerank(*given, "-o", folder.parent / "bad.trec") == 2
    assert f"{first_stage}:4:" in capsys.readouterr().err
    arguments = ["rerank", *map(str, given), "-o", str(folder.parent / "skipped.trec"), "--skip-bad"]
    assert main(arguments) == 0
    assert "1 malformed lines skipped" in capsys.readouterr().err
    assert (folder.parent / "skipped.trec").read_bytes() == (folder.parent / "made.trec").read_bytes()


def test_a_budget_that_allows_no_call_leaves_queries_unscored_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["rerank", "--data", str(folder), "-o", str(folder.parent / "o.trec"), "--max-calls", "0"]
    assert main(arguments) == 3
    said = capsys.readouterr().err
    assert "0 of 6 queries reranked" in said and "6 unscored" in said and "call budget of 0 used up" in said
    assert (folder.parent / "o.trec").read_text() == "", "the first stage's order must not be passed off as a result"


def test_what_the_output_cannot_hold_is_refused_before_anything_is_computed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder.parent / "in.jsonl"
    source.write_text(
        '{"query": {"text": "q", "qid": "bad id"}, "candidates": [{"docid": "d", "doc": {"text": "x"}}]}\n'
    )
    assert rerank(source, "-o", folder.parent / "out.trec") == 2
    assert "'bad id' holds white space" in capsys.readouterr().err
    assert rerank(source, "-o", folder.parent / "out.jsonl.gz") == 0
    assert next(iter(read(folder.parent / "out.jsonl.gz"))).query.id == "bad id"


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("-", "must be a file"),
        (".", "must be a file"),
        ("no/such/folder/out.trec", "there is no folder"),
        ("out.csv", "`shortlist convert` makes .csv"),
        ("data/corpus.jsonl", "is also an input"),
    ],
)
def test_outputs_that_cannot_be_are_refused_first(
    folder: Path, output: str, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    before = sorted(p.name for p in folder.parent.rglob("*"))
    texts = ("--corpus", "data/corpus.jsonl", "--queries", "data/queries.jsonl")
    assert rerank("--run", "data/corpus.jsonl", *texts, "-o", output) == 2
    assert says in capsys.readouterr().err
    assert sorted(p.name for p in folder.parent.rglob("*")) == before


@pytest.mark.slow
def test_kill_nine_at_ten_random_moments_of_the_command_changes_nothing(
    folder: Path, first_stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the shipped model and an empty cache of passage states on both sides."""
    texts = ["--corpus", str(folder / "corpus.jsonl"), "--queries", str(folder / "queries.jsonl")]

    def command(name: str) -> list[str]:
        job = ["--run", str(first_stage), *texts, "-o", str(folder.parent / name), "--batch", "1", "--quiet"]
        return [sys.executable, "-m", "shortlist", "rerank", *job]

    monkeypatch.setenv("SHORTLIST_CACHE", str(folder.parent / "undisturbed-cache"))
    began = time.monotonic()
    subprocess.run(command("undisturbed.trec"), check=True)
    took = time.monotonic() - began
    monkeypatch.setenv("SHORTLIST_CACHE", str(folder.parent / "killed-cache"))
    output, rng, kills = folder.parent / "killed.trec", random.Random(1), 0
    while kills < 10:
        process = subprocess.Popen(command("killed.trec"))
        try:
            process.wait(timeout=rng.uniform(0.3, 1.0) * took)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        if output.exists():
            assert output.read_bytes() == (folder.parent / "undisturbed.trec").read_bytes()
            output.unlink()
    subprocess.run(command("killed.trec"), check=True)
    assert output.read_bytes() == (folder.parent / "undisturbed.trec").read_bytes()
