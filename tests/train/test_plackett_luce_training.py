"""The Plackett-Luce policy gradient trains scorers: their rankings become worth more, and less with the other sign."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from shortlist import Ranking
from shortlist.losses import PlackettLuce
from shortlist.measures import grade
from shortlist.measures.gains import ndcg
from shortlist.train import Grouping, Objective, Settings
from shortlist.train.generated import generated

torch = pytest.importorskip("torch", reason="torch is not installed (extra `train`)")
GROUPING = Grouping("grades", smallest=8, largest=8)


def trained(seed: int, sign: float, steps: int = 50) -> tuple[float, float]:
    """The worth of a linear scorer's rankings before and after: the grade is noise around one of five features."""
    chance = torch.Generator().manual_seed(seed)
    features = torch.randn(32, 8, 5, generator=chance)
    grades = (features[..., 0] + 0.3 * torch.randn(32, 8, generator=chance)).clamp(min=0).round()
    weights = torch.zeros(5, requires_grad=True)
    optimiser, worth = torch.optim.Adam([weights], 0.05), PlackettLuce(k=5, samples=64, seed=seed + 1)
    before = 1 - float(worth(features @ weights, grades).detach())
    for _ in range(steps):
        optimiser.zero_grad()
        (sign * PlackettLuce(k=5, samples=8, seed=seed)(features @ weights, grades)).backward()
        optimiser.step()
    return before, 1 - float(worth(features @ weights, grades).detach())


@pytest.mark.parametrize("seed", range(3))
def test_a_linear_scorers_rankings_are_worth_more(seed: int) -> None:
    before, after = trained(seed, 1.0)
    assert after > before + 0.25
    before, after = trained(seed, -1.0)
    assert after < before - 0.1


def quality(student: Any, module: Any, rankings: Sequence[Ranking]) -> float:
    """Mean nDCG@10 of the rankings in the order of the student's scores."""
    total = 0.0
    for ranking in rankings:
        shown = GROUPING.group(ranking, 0, 0)
        with torch.no_grad():
            scores = student.forward(module.eval(), student.features([shown]), frozenset({"scores"}))["scores"][0]
        judged = {c.id: int(g) for c, g in zip(shown.candidates, shown.grades, strict=True)}
        order = [shown.candidates[i].id for i in scores.argsort(descending=True).tolist()]
        total += ndcg(grade(order, judged), cutoff=10, dcg="exp-log2")
    return total / len(rankings)


@pytest.mark.slow
def test_a_cross_encoders_rankings_are_worth_more(models: dict[str, Path], tmp_path: Path) -> None:
    from shortlist.train.students import CrossEncoder
    from shortlist.train.trainer import train

    settings = Settings(batch=16, epochs=12, learning_rate=5e-3, save_every=0, log_every=50, device="cpu")
    student, asked = CrossEncoder(models["encoder"]), generated(64, 8, seed=1)
    before = quality(student, student.module(), asked)
    done = train(student, asked, Objective(PlackettLuce(samples=32)), GROUPING, settings, tmp_path)
    assert quality(student, done.module, asked) > before + 0.05
