"""Negatives of all processes: two processes with half the batch train as one with the whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from shortlist import Query, Ranking
from shortlist.core.errors import ConfigError, ScoreError
from shortlist.losses import KL, InfoNCE
from shortlist.train import Grouping, Objective, Settings
from shortlist.train.collate import Collate
from shortlist.train.gathered import same, shared_beside
from shortlist.train.generated import generated

PROGRAM = """
import os, sys
from dataclasses import replace
from pathlib import Path
import torch
torch.set_num_threads(1)
from shortlist.losses import InfoNCE
from shortlist.train import Grouping, Objective, Settings
from shortlist.train.students import BiEncoder, E2Rank, LateInteraction
from shortlist.train.trainer import train
sys.path.insert(0, sys.argv[1])
from samples import samples

folder, gather = Path(sys.argv[2]), sys.argv[3] == "gather"
batch = 6 // int(os.environ.get("WORLD_SIZE", "1"))
encoder, embedder = Path(sys.argv[1]) / "encoder", Path(sys.argv[1]) / "embedder"
students = [BiEncoder(encoder, scale=4.0, learn_scale=True), LateInteraction(encoder, scale=4.0), E2Rank(embedder)]
settings = Settings(batch=batch, steps=2, learning_rate=1.0, optimiser="sgd", schedule="constant", warm_up=0.0,
                    clip=1e9, log_every=1, save_every=0, device="cpu")
for student in students[:int(sys.argv[4])]:
    name = type(student).__name__
    before = {n: p.detach().clone() for n, p in student.module().named_parameters()}
    done = train(student, samples(), Objective(contrast=InfoNCE(0.5), gather=gather),
                 Grouping(smallest=2, largest=6, shown="shuffled"), settings, folder / name)
    if done.main_process:
        own = dict(done.module.named_parameters())
        torch.save({n: before[n] - own[n].detach() for n in before}, folder / f"{name}.pt")
"""
SAMPLES = """
from dataclasses import replace
from shortlist import Query
from shortlist.train.generated import generated

def samples():
    made = generated(12, 8, seed=3)
    twice = [replace(r, query=Query("again-" + r.query.id, r.query.text)) for r in made[:4]]  # the same questions
    shared = [replace(r, candidates=(*r.candidates[:4], *made[0].candidates[4:])) for r in made[4:8]]  # and documents
    return [*made[:4], *twice, *shared, *made[8:]]
"""


def carried_out(place: Path, name: str, *, processes: int, gather: bool, students: int = 3) -> Path:
    (place / name).mkdir()
    (place / "program.py").write_text(PROGRAM)
    (place / "samples.py").write_text(SAMPLES)
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    launch = several if processes > 1 else []
    words = [str(place / "program.py"), str(place), str(place / name), "gather" if gather else "alone", str(students)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, *launch, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return place / name


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Tiny models without dropout, so that nothing is drawn at random."""
    pytest.importorskip("torch", reason="torch is not installed (extra `train`)")
    from shortlist.train.tiny import tiny_model

    calm = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    tiny_model(tmp_path / "encoder", "embedding", **calm)
    tiny_model(tmp_path / "embedder", "embedding", decoder=True)
    return tmp_path


@pytest.mark.slow
def test_two_processes_have_the_loss_and_the_gradients_of_one_with_the_whole_batch(place: Path) -> None:
    import torch

    alone = carried_out(place, "one", processes=1, gather=True)
    both = carried_out(place, "two", processes=2, gather=True)
    for name in ("BiEncoder", "LateInteraction", "E2Rank"):
        records = [
            [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines()]
            for folder in (alone, both)
        ]
        for own, other in zip(*records, strict=True):
            assert own["loss"] == pytest.approx(other["loss"], abs=1e-5), name
            assert own["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-4), name
        moved = [torch.load(folder / f"{name}.pt") for folder in (alone, both)]
        largest = max(float(value.abs().max()) for value in moved[0].values())
        assert largest > 1e-3, name  # SGD with a rate of 1: what moved is the sum of the gradients
        for key, value in moved[0].items():
            torch.testing.assert_close(moved[1][key], value, atol=1e-5, rtol=1e-4, msg=f"{name}: {key}")


@pytest.mark.slow
def test_without_gather_two_processes_have_fewer_negatives(place: Path) -> None:
    alone = carried_out(place, "one", processes=1, gather=False, students=1)
    both = carried_out(place, "two", processes=2, gather=False, students=1)
    lines = [(folder / "BiEncoder" / "metrics.jsonl").read_text().splitlines() for folder in (alone, both)]
    losses = [json.loads(one[0])["loss"] for one in lines]
    assert losses[1] < losses[0] - 0.1


class NoFeatures:
    def features(self, groups: object) -> dict[str, object]:
        return {}


def doubtful() -> list[Ranking]:
    """Lists of unequal length; the second asks what the first does, the third holds documents of the first."""
    made = generated(4, 6, seed=1)
    again = replace(made[1], query=Query("other", made[0].query.text), candidates=made[1].candidates[:4])
    return [made[0], again, replace(made[2], candidates=made[2].candidates[:3] + made[0].candidates[3:5]), made[3]]


def test_keys_find_the_same_documents_and_questions_as_texts_do() -> None:
    torch = pytest.importorskip("torch")
    groups = [Grouping(smallest=2, largest=6).group(ranking, 0, 0) for ranking in doubtful()]
    plain = Collate(NoFeatures(), across=True)(groups)  # type: ignore[arg-type]
    keyed = Collate(NoFeatures(), across=True, gather=True)(groups)  # type: ignore[arg-type]
    assert "same" not in keyed
    found = shared_beside(keyed)
    assert bool(plain["same"].any())
    assert torch.equal(found["same"], plain["same"])
    assert found["first"] == 0
    half = same(keyed["keys"][2:], keyed["asked"][2:], keyed["keys"], keyed["asked"], 2)  # of the second process
    assert torch.equal(half, plain["same"][2:])


def test_info_nce_of_a_part_is_that_part_of_the_whole() -> None:
    torch = pytest.importorskip("torch")
    scores = torch.randn(4, 4, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, True, True], [True, True, False], [True, True, True], [True, False, False]])
    for loss in (InfoNCE(0.7), InfoNCE(own=False), InfoNCE(others="positives"), InfoNCE(others="none")):
        parts = [loss(scores[first : first + 2], mask, None, first) for first in (0, 2)]
        assert float(sum(parts) / 2) == pytest.approx(float(loss(scores, mask)), rel=1e-6)
    for wrong in (3, -1):
        with pytest.raises(ScoreError, match="first"):
            InfoNCE()(scores[:2], mask, None, wrong)
    with pytest.raises(ScoreError):
        InfoNCE()(scores[:2], mask)


def test_one_process_gathers_only_its_own(models: dict[str, Path], samples: list[Ranking], tmp_path: Path) -> None:
    from shortlist.train.students import LateInteraction
    from shortlist.train.trainer import train

    settings = Settings(batch=4, steps=2, save_every=0, device="cpu", log_every=1)
    for gather in (False, True):
        objective = Objective(contrast=InfoNCE(), gather=gather)
        train(LateInteraction(models["encoder"]), samples, objective, Grouping(), settings, tmp_path / str(gather))
    rows = [(tmp_path / str(gather) / "metrics.jsonl").read_text().splitlines() for gather in (False, True)]
    for own, other in zip(*rows, strict=True):
        assert json.loads(own) == pytest.approx(json.loads(other), rel=1e-5)


def test_gathering_needs_a_contrast() -> None:
    with pytest.raises(ConfigError, match="no contrast"):
        Objective(KL(), gather=True)
