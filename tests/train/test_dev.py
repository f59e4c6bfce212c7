"""Looks at a dev set: the runtime's numbers, an undisturbed training, the best weights, patience, and a kill."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shortlist import Ranking, load
from shortlist.core.errors import ConfigError
from shortlist.formats import write
from shortlist.losses import KL, BinaryCrossEntropy
from shortlist.train import Grouping, Objective, Settings
from shortlist.train.dev import Dev, Looks, apart, measured, saved_looks
from shortlist.train.gate import HeldOut, Unchanged, gate, held_out
from shortlist.train.generated import generated
from shortlist.train.leaks import LeakReport
from shortlist.train.loop import Trained, last_checkpoint
from shortlist.train.students import BiEncoder, CrossEncoder, LateInteraction, LoRA, Student, YesNo
from shortlist.train.trainer import train

SETS = [held_out("a", generated(10, 8, seed=11, name="a")), held_out("b", generated(6, 8, seed=12, name="b"))]
SETTINGS = Settings(batch=4, steps=6, learning_rate=3e-3, save_every=2, keep=9, log_every=1, device="cpu")


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights(trained: Trained) -> dict[str, Any]:
    return {name: p.detach().clone() for name, p in trained.module.named_parameters() if p.requires_grad}


def spoiled(samples: list[Ranking]) -> list[Ranking]:
    """The teacher says the opposite: what is trained on it gets worse with every update."""
    return [replace(r, candidates=tuple(replace(c, score=-(c.score or 0.0)) for c in r.candidates)) for r in samples]


@pytest.fixture(scope="session")
def able(models: dict[str, Path], samples: list[Ranking], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bi-encoder that has learned something."""
    folder = tmp_path_factory.mktemp("able")
    student = BiEncoder(models["encoder"], scale=4.0)
    settings = Settings(batch=8, epochs=6, learning_rate=3e-3, save_every=0, device="cpu")
    done = train(student, samples, Objective(KL()), Grouping(), settings, folder / "training")
    student.save(done.module, folder / "model")
    return folder / "model"


STUDENTS: dict[str, Callable[[dict[str, Path]], Student]] = {
    "cross-encoder": lambda models: CrossEncoder(models["encoder"]),
    "late-interaction": lambda models: LateInteraction(models["encoder"], score="sum"),
    "yes-no": lambda models: YesNo(models["causal"]),
    "adapter": lambda models: YesNo(models["causal"], lora=LoRA(rank=4, merge=False)),
}


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks transformers so
@pytest.mark.parametrize("name", STUDENTS)
def test_a_look_is_the_saved_models_measure_through_the_runtime(
    name: str, models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    student = STUDENTS[name](models)
    settings = replace(SETTINGS, steps=3)
    done = train(student, samples, Objective(BinaryCrossEntropy()), Grouping("binary"), settings, tmp_path / "t",
                 dev=Dev(every=2), dev_sets=SETS)  # fmt: skip
    assert [step for step, _ in done.looks] == [2, 3]  # the last update is looked at, whatever ``every`` is
    student.save(done.module, tmp_path / "model")
    opened = student.runs_with(str(tmp_path / "model"))
    stage = load(opened.pop("method"), **opened)
    last = rows(tmp_path / "t")[-1 if "loss" not in rows(tmp_path / "t")[-1] else -2]
    assert last == {"step": 3, **measured(stage, SETS, "nDCG@10")}
    assert last["dev_nDCG@10"] == done.looks[-1][1]
    verdict = gate(Unchanged(), stage, SETS)
    means = [last["dev_nDCG@10 a"], last["dev_nDCG@10 b"], last["dev_nDCG@10"]]
    assert means == [row.mean for _, row in verdict.rows]  # the gate's numbers too
    assert not list((tmp_path / "t").glob("dev-model-*"))


def test_a_training_that_is_looked_at_gives_the_same_weights(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np
    import torch

    def drawing(*given: Any, **options: Any) -> Any:  # a runtime that draws numbers of all kinds
        assert torch.rand(3).sum() + np.random.rand() + random.random() > 0
        return load(*given, **options)

    monkeypatch.setattr("shortlist.train.dev.load", drawing)
    found = []
    for dev in (None, Dev(every=1)):
        case = (CrossEncoder(models["encoder"]), samples, Objective(KL()), Grouping(), SETTINGS, tmp_path / str(dev))
        found.append(train(*case, dev=dev, dev_sets=SETS if dev else ()))
    own, other = map(weights, found)
    assert all(torch.equal(own[name], other[name]) for name in own)
    assert [len(f.looks) for f in found] == [0, 6]
    losses = [[row for row in rows(tmp_path / str(dev)) if "loss" in row] for dev in (None, Dev(every=1))]
    assert losses[0] == losses[1]


def test_the_best_weights_are_kept_and_patience_ends_a_training(
    able: Path, samples: list[Ranking], tmp_path: Path
) -> None:
    student = BiEncoder(able, scale=4.0)
    settings = replace(SETTINGS, steps=40, learning_rate=5e-4)
    case = (student, spoiled(samples), Objective(KL()), Grouping(), settings, tmp_path / "t")
    dev = Dev(every=2, keep_best=True, patience=2)
    done = train(*case, dev=dev, dev_sets=SETS)
    assert done.kept == 2
    assert done.updates == 6  # two looks after the best one
    values = [value for _, value in done.looks]
    assert values[0] == max(values) > values[-1]
    assert [p.name for p in (tmp_path / "t").glob("best-*")] == ["best-2.safetensors"]
    student.save(done.module, tmp_path / "model")
    assert measured(load("bi-encoder", model=str(tmp_path / "model")), SETS, "nDCG@10")["dev_nDCG@10"] == values[0]
    again = train(*case, dev=dev, dev_sets=SETS, resume=True)  # was ended already: the same once more
    assert (again.kept, again.updates, again.looks) == (done.kept, done.updates, done.looks)


def test_without_keep_best_the_last_weights_stay(able: Path, samples: list[Ranking], tmp_path: Path) -> None:
    case = (BiEncoder(able, scale=4.0), spoiled(samples), Objective(KL()), Grouping(), SETTINGS, tmp_path)
    done = train(*case, dev=Dev(every=2), dev_sets=SETS)
    assert done.kept == done.updates == 6
    assert not list(tmp_path.glob("best-*"))


def test_the_best_is_the_earliest_of_equals_and_patience_counts_from_it() -> None:
    looks = Looks(patience=2)
    assert not looks.exhausted
    assert [looks.add(step, value) for step, value in ((1, 0.5), (2, 0.5), (3, 0.6))] == [True, False, True]
    assert (looks.best, looks.exhausted) == ((3, 0.6), False)
    looks.add(4, 0.6)
    assert not looks.exhausted
    looks.add(5, 0.1)
    assert (looks.best, looks.exhausted) == ((3, 0.6), True)
    assert not Looks(None, [(1, 1.0), (2, 0.0), (3, 0.0)]).exhausted


def test_a_best_behind_the_checkpoint_that_is_continued_is_found_again(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    """As after a kill between a new best and the next checkpoint."""
    import torch

    settings = replace(SETTINGS, batch=8, steps=24, save_every=8)
    folder = tmp_path / "t"
    case = (BiEncoder(models["encoder"], scale=4.0), samples, Objective(KL()), Grouping(), settings, folder)
    dev = Dev(every=8, keep_best=True)
    done = train(*case, dev=dev, dev_sets=SETS)
    whole, record = weights(done), (folder / "metrics.jsonl").read_text()
    known = saved_looks(folder / "checkpoint-8" / "trainer_state.json", dev)
    assert known.history == list(done.looks[:1])
    assert done.kept > 8  # it learns, so the best comes later
    for checkpoint in (16, 24):
        shutil.rmtree(folder / f"checkpoint-{checkpoint}")
    shutil.copy(folder / "checkpoint-8" / "trained.safetensors", folder / "best-8.safetensors")
    for step in (16, 24):
        (folder / f"best-{step}.safetensors").write_bytes(b"of updates that were lost")
    again = train(*case, dev=dev, dev_sets=SETS, resume=True)
    assert (again.resumed, again.kept, again.looks) == (8, done.kept, done.looks)
    assert all(torch.equal(whole[name], value) for name, value in weights(again).items())
    assert (folder / "metrics.jsonl").read_text() == record
    assert [p.name for p in folder.glob("best-*")] == [f"best-{done.kept}.safetensors"]


PROGRAM = """
import sys, time
from dataclasses import replace
from pathlib import Path
import torch
torch.set_num_threads(1)
from shortlist.losses import KL
from shortlist.train import Grouping, Objective, Settings
from shortlist.train.dev import Dev
from shortlist.train.gate import held_out
from shortlist.train.generated import generated
from shortlist.train.students import BiEncoder
from shortlist.train.trainer import train

base, folder, resume, slow = sys.argv[1:]
settings = Settings(batch=4, steps=60, learning_rate=5e-4, save_every=3, log_every=1, device="cpu")
pause = (lambda done, total: time.sleep(0.3)) if slow == "slow" else (lambda done, total: None)
samples = generated(64, 8, seed=1)
samples = [replace(r, candidates=tuple(replace(c, score=-c.score) for c in r.candidates)) for r in samples]
done = train(BiEncoder(base, scale=4.0), samples, Objective(KL()), Grouping(), settings, Path(folder),
             resume=resume == "resume", progress=pause, dev=Dev(every=2, keep_best=True, patience=4),
             dev_sets=[held_out("a", generated(10, 8, seed=11, name="a"))])
torch.save({n: p.detach() for n, p in done.module.named_parameters()}, Path(folder) / "end.pt")
print(done.resumed, done.updates, done.kept)
"""


@pytest.mark.slow
def test_a_killed_training_continues_to_the_same_choice(able: Path, tmp_path: Path) -> None:
    import torch

    def start(folder: str, *options: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-c", PROGRAM, str(able), str(tmp_path / folder), *options]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    undisturbed, killed = start("a", "new", "fast"), start("b", "new", "slow")
    until = time.monotonic() + 120
    while last_checkpoint(tmp_path / "b") is None and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.7)  # beyond the checkpoint, so that a look is lost with its updates
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    whole, errors = undisturbed.communicate()
    assert undisturbed.returncode == 0, errors
    continued = start("b", "resume", "fast")
    output, errors = continued.communicate()
    assert continued.returncode == 0, errors
    assert int(output.split()[0]) >= 3
    assert output.split()[1:] == whole.split()[1:]
    assert int(whole.split()[1]) == int(whole.split()[2]) + 8 < 60  # four looks after the best
    ends = [torch.load(tmp_path / name / "end.pt") for name in ("a", "b")]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert (tmp_path / "a" / "metrics.jsonl").read_text() == (tmp_path / "b" / "metrics.jsonl").read_text()


def test_a_checkpoint_without_looks_is_not_continued_with_them(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    case = (CrossEncoder(models["encoder"]), samples, Objective(KL()), Grouping(), SETTINGS, tmp_path)
    train(*case)
    with pytest.raises(ConfigError, match="without a dev set"):
        train(*case, resume=True, dev=Dev(), dev_sets=SETS)


@pytest.mark.parametrize("wrong", [{"every": 0}, {"patience": 0}, {"depth": 0}, {"measure": "nDCG@10 RR"}])
def test_wrong_looks_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Dev(**wrong)


def test_dev_sets_do_not_hold_the_gates_questions() -> None:
    report = LeakReport()
    mixed = HeldOut("mixed", SETS[0].rankings[:2] + SETS[1].rankings, {**SETS[0].grades, **SETS[1].grades})
    (left,) = apart([mixed], [SETS[0]], report)
    assert [r.query.id for r in left.rankings] == [r.query.id for r in SETS[1].rankings]
    assert report.count == 2
    with pytest.raises(ConfigError, match="the gate does not ask"):
        apart([SETS[0]], [SETS[0]], report)
    with pytest.raises(ConfigError, match="different names"):
        apart([SETS[0], SETS[0]], [], report)


def beir(folder: Path, rankings: list[Ranking]) -> Path:
    (folder / "qrels").mkdir(parents=True)
    documents = [c.document for r in rankings for c in r.candidates]
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"_id": d.id, "text": d.text}) + "\n" for d in documents))
    lines = [json.dumps({"_id": r.query.id, "text": r.query.text}) + "\n" for r in rankings]
    (folder / "queries.jsonl").write_text("".join(lines))
    judged = [f"{r.query.id}\t{c.id}\t{c.document.metadata['grade']}\n" for r in rankings for c in r.candidates]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged))
    return folder


def test_the_command_looks_keeps_the_best_and_says_so(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from shortlist.cli import main

    samples = generated(12, 6, seed=4)
    write(samples, tmp_path / "train.jsonl")
    dev = beir(tmp_path / "dev", samples[:2] + generated(6, 6, seed=5, name="d"))  # two of its queries are trained on
    held = beir(tmp_path / "held", generated(6, 6, seed=6, name="h"))
    command = ["train", "--config", "distil-cross-encoder", str(tmp_path / "train.jsonl"), "--base",
               str(models["encoder"]), "--set", "settings.steps=3", "--set", "settings.device=cpu",
               "--set", "dev.every=1", "--dev", str(dev), "--keep-best", "--patience", "9"]  # fmt: skip
    assert main([*command, "--held-out", str(held), "-o", str(tmp_path / "m")]) in (0, 4)
    said = capsys.readouterr().err
    assert "2 training queries left out: they are queries of dev (dev)" in said
    assert "3 updates on 10 samples" in said
    assert "3 looks at the dev set, best" in said
    record = json.loads((tmp_path / "m" / "training" / "manifest.json").read_text())
    looks = dict(record["trained"]["looks"])
    assert looks[record["trained"]["kept"]] == max(looks.values())
    card = (tmp_path / "m" / "README.md").read_text()
    assert f"weights: of update {record['trained']['kept']} (nDCG@10 " in card
    assert "the best of 3 looks at the dev set (dev)" in card
    assert main([*command, "--held-out", str(dev), "-o", str(tmp_path / "n")]) == 2
    assert "is a dev set and one of the gate's" in capsys.readouterr().err
    alone = [word for word in command if word not in ("--dev", str(dev))]
    assert main([*alone, "-o", str(tmp_path / "n")]) == 2
    assert "need a dev set" in capsys.readouterr().err
