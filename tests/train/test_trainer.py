"""The trainer: learning, the record it writes, and that a killed training continues to the same weights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shortlist import Ranking
from shortlist.core.errors import ConfigError, MissingExtra
from shortlist.losses import KL, BinaryCrossEntropy
from shortlist.train import Grouping, Objective, Settings
from shortlist.train.loop import last_checkpoint
from shortlist.train.loop import start as begin
from shortlist.train.students import BiEncoder, CrossEncoder
from shortlist.train.trainer import train

PROGRAM = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from shortlist.losses import KL
from shortlist.train import Grouping, Objective, Settings
from shortlist.train.generated import generated
from shortlist.train.students import CrossEncoder
from shortlist.train.trainer import train

base, folder, resume, slow = sys.argv[1:]
settings = Settings(batch=4, accumulate=2, steps=14, learning_rate=1e-3, save_every=3, log_every=1, device="cpu")
pause = (lambda done, total: time.sleep(0.3)) if slow == "slow" else (lambda done, total: None)
done = train(CrossEncoder(base), generated(20, 6, seed=2), Objective(KL()), Grouping(smallest=3, largest=5), settings,
             Path(folder), resume=resume == "resume", progress=pause)
torch.save({n: p.detach() for n, p in done.module.named_parameters()}, Path(folder) / "end.pt")
print(done.resumed)
"""


def start(base: Path, folder: Path, *options: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", PROGRAM, str(base), str(folder), *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_killed_training_continues_to_the_same_weights(models: dict[str, Path], tmp_path: Path) -> None:
    import torch

    undisturbed = start(models["encoder"], tmp_path / "a", "new", "fast")
    killed = start(models["encoder"], tmp_path / "b", "new", "slow")
    until = time.monotonic() + 120
    while last_checkpoint(tmp_path / "b") is None and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.7)  # beyond the checkpoint, so that some updates are lost
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    output, errors = undisturbed.communicate()
    assert undisturbed.returncode == 0, errors
    continued = start(models["encoder"], tmp_path / "b", "resume", "fast")
    output, errors = continued.communicate()
    assert continued.returncode == 0, errors
    assert 3 <= int(output) < 14
    whole, again = (torch.load(tmp_path / name / "end.pt") for name in ("a", "b"))
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    records = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("a", "b")]
    assert records[0] == records[1]
    assert [json.loads(line)["step"] for line in records[0].splitlines()] == list(range(1, 15))


def test_a_torn_checkpoint_is_passed_over(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    for step, state in ((2, "{}"), (10, "{}"), (12, '{"torn'), (14, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


def test_it_learns_and_says_nothing(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[tuple[int, int]] = []
    settings = Settings(batch=8, epochs=6, learning_rate=3e-3, save_every=0, log_every=8, device="cpu")
    student = CrossEncoder(models["encoder"])
    done = train(
        student, samples, Objective(BinaryCrossEntropy()), Grouping("binary", positives=1), settings, tmp_path,
        progress=lambda done, total: steps.append((done, total)),
    )  # fmt: skip
    assert (done.updates, done.samples, done.seen, done.resumed) == (48, 64, 8, 0)
    assert steps == [(done, 48) for done in range(1, 49)]
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 48
    assert rows[-1]["loss"] < rows[0]["loss"] - 0.1
    assert rows[0]["learning_rate"] == 0.0  # warm-up
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == ""


def test_the_record_has_each_part_of_the_loss(models: dict[str, Path], samples: list[Ranking], tmp_path: Path) -> None:
    from shortlist.losses import InfoNCE

    settings = Settings(batch=4, steps=2, log_every=1, save_every=0, device="cpu")
    objective = Objective(KL(), InfoNCE(), ranking_weight=2.0)
    train(BiEncoder(models["encoder"]), samples, objective, Grouping(), settings, tmp_path)
    for row in map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines()):
        assert row["loss"] == pytest.approx(row["loss_ranking"] + row["loss_contrast"], rel=1e-5)


@pytest.mark.parametrize("option", [{"precision": "bf16"}, {"neftune": 5.0}, {"checkpoint_gradients": True}])
def test_options_of_the_trainer(
    option: dict[str, object], models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    from shortlist.train.students import First

    settings = Settings(batch=2, steps=2, save_every=0, device="cpu", learning_rate=1e-3, **option)  # type: ignore[arg-type]
    objective = Objective(KL(), text_weight=1.0)
    grouping = Grouping(smallest=4, largest=4, shown="shuffled")
    plain = Settings(batch=2, steps=2, save_every=0, device="cpu", learning_rate=1e-3)
    losses = []
    for i, chosen in enumerate((plain, settings)):
        done = train(First(models["causal"]), samples, objective, grouping, chosen, tmp_path / str(i))
        losses.append(done.loss)
    if "checkpoint_gradients" in option:
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    else:
        assert losses[0] != losses[1]
        assert losses[0] == pytest.approx(losses[1], rel=0.1)


def test_checkpoints_in_the_way_are_not_overwritten(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    settings = Settings(batch=2, steps=2, save_every=1, keep=1, device="cpu")
    case = (CrossEncoder(models["encoder"]), samples, Objective(KL()), Grouping(), settings, tmp_path)
    train(*case)
    assert len(list(tmp_path.glob("checkpoint-*"))) == 1
    with pytest.raises(ConfigError, match="resume"):
        train(*case)
    assert train(*case, resume=True).resumed == 2


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"steps": 0}, {"learning_rate": 0.0}, {"precision": "int8"}])
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Settings(**wrong)  # type: ignore[arg-type]


def test_what_this_machine_lacks_is_said_before_training(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("accelerate")
    from importlib.util import find_spec

    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="needs a GPU"):
            Settings(precision="fp16").arguments(tmp_path, 1)
    if not torch.accelerator.is_available():  # a published recipe runs where there is only a CPU, in its precision
        made = Settings(precision="bf16").arguments(tmp_path, 1)
        assert made.use_cpu and made.bf16
    with pytest.raises(ConfigError, match="no_such"):
        Settings(schedule="no_such", device="cpu").arguments(tmp_path, 1)
    if find_spec("bitsandbytes") is None:
        with pytest.raises(MissingExtra, match="pip install bitsandbytes"):
            Settings(optimiser="adamw_bnb_8bit").arguments(tmp_path, 1)


def test_schedule_free_training_ends_with_its_averaged_weights(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    pytest.importorskip("schedulefree", reason="schedulefree is not installed")
    settings = Settings(batch=4, steps=3, save_every=3, learning_rate=1e-2, device="cpu", log_every=1,
                        optimiser="schedule_free_adamw", schedule="constant_with_warmup", warm_up=0.0)  # fmt: skip
    student = CrossEncoder(models["encoder"])
    done = train(student, samples, Objective(KL()), Grouping(), settings, tmp_path)
    from safetensors.torch import load_file

    last = load_file(str(tmp_path / "checkpoint-3" / "trained.safetensors"))
    own = dict(done.module.named_parameters())
    assert any((own[name] - value).abs().max() > 1e-4 for name, value in last.items())


def test_low_rank_deltas_and_extra_parameters_continue_from_a_checkpoint(
    models: dict[str, Path], samples: list[Ranking], tmp_path: Path
) -> None:
    import shutil
    import warnings

    import torch

    from shortlist.train.students import LoRA

    pytest.importorskip("peft", reason="peft is not installed (extra `train`)")
    settings = Settings(batch=4, steps=6, save_every=3, learning_rate=1e-2, device="cpu")
    found = []
    for again in (False, True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # PEFT asks transformers under a name of the past
            student = BiEncoder(models["encoder"], learn_scale=True, lora=LoRA(rank=4, dropout=0.1))
            done = train(student, samples, Objective(KL()), Grouping(), settings, tmp_path, resume=again)
        found.append({n: p.detach() for n, p in done.module.named_parameters() if p.requires_grad})
        assert done.resumed == (3 if again else 0)
        shutil.rmtree(tmp_path / "checkpoint-6")
    assert "log_scale" in found[0]
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_a_checkpoint_of_other_processes_is_not_continued(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    last = tmp_path / "checkpoint-3"
    last.mkdir()
    for name in ("trainer_state.json", "rng_state_0.pth", "rng_state_1.pth"):
        (last / name).write_text("{}")
    with pytest.raises(ConfigError, match="is of 2 processes, and here are 1"):
        begin(tmp_path, Settings(device="cpu"), resume=True)
    (last / "rng_state_1.pth").unlink()
    (last / "rng_state_0.pth").rename(last / "rng_state.pth")
    assert begin(tmp_path, Settings(device="cpu"), resume=True).done == 3
