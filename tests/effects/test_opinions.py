"""Teachers that disagree: whom a student resembles, and what an average of two models keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from shortlist.effects import Cross, LateInteraction, Lists, Opinions, Sample, Teacher, Training, Weights, fit, measured
from shortlist.losses import KL, SoftmaxCrossEntropy
from shortlist.measures.loyalty import label_loyalty, probability_loyalty, regression_loyalty
from shortlist.train.merge import merge

pytestmark = [pytest.mark.slow, pytest.mark.long]
LOYALTIES = {
    "label": label_loyalty,
    "probability": probability_loyalty,
    "pearson": lambda teacher, student: regression_loyalty(teacher, student).pearson,
    "spearman": lambda teacher, student: regression_loyalty(teacher, student).spearman,
}


def learned(sample: Sample, seed: int, *, labels: bool = False) -> list[list[float]]:
    """A student's scores of the held-out lists."""
    architecture, plan = LateInteraction(), Training(labels=labels)
    loss = SoftmaxCrossEntropy() if labels else KL()
    weights = fit(architecture, sample.train, loss, plan, seed=seed)
    rows: list[list[float]] = architecture.scores(weights, sample.held_out.queries, sample.held_out.documents).tolist()
    return rows


@pytest.mark.parametrize("seed", [0, 1])
def test_a_student_is_most_loyal_to_its_own_teacher(seed: int) -> None:
    """Avram et al. 2022, loyalty after Xu et al. 2021: the student of a teacher, of another, and of the mean of both,
    against all three. Each is most loyal to its own, and nobody is as loyal to a teacher as its own student; whoever
    learned from labels (of the mean's truth) is less loyal to any. KL leaves a constant per query open, so the mean
    absolute error is not looked at."""
    world = Opinions(teacher=Teacher(noise=0.5))
    asked = {name: replace(world, heard=h).sample(seed) for name, h in (("one", 0), ("two", 1), ("mean", None))}
    said = {name: sample.held_out.targets.tolist() for name, sample in asked.items()}
    students = {name: learned(sample, seed) for name, sample in asked.items()}
    from_labels = learned(asked["mean"], seed, labels=True)
    for kind, loyalty in LOYALTIES.items():
        table = {(s, t): loyalty(said[t], students[s]) for s in students for t in said}
        for own in said:
            others = [v for pair, v in table.items() if own in pair and pair != (own, own)]
            assert table[own, own] > max(others) + 0.05, (kind, table)
            assert table[own, own] > loyalty(said[own], from_labels) + 0.03, (kind, own, table)


def stored(weights: Weights, folder: Path) -> Path:
    """A folder as ``merge`` reads it."""
    folder.mkdir()
    save_file(weights, folder / "model.safetensors")
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text(json.dumps({}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_average_of_two_checkpoints_is_best_over_both_sets(seed: int, tmp_path: Path) -> None:
    """Clavié 2024 (JaColBERTv2.5): trained in general, then for a domain in which something else counts, then averaged
    with what it was before. The average is ahead in the mean of both sets and keeps most of what post-training forgot;
    in the domain alone it is behind the post-trained one, as it must be. (Ahead for dot
    product and late interaction too, by .014 and .004 at least over four seeds.)"""
    architecture = Cross()
    general, domain = (Opinions(heard=h, lists=384).sample(seed) for h in (0, 1))
    before = fit(architecture, general.train[:256], KL(), Training(), seed=seed)
    after = fit(architecture, domain.train[256:], KL(), Training(steps=100), seed=seed, start=before)
    merge([stored(before, tmp_path / "before"), stored(after, tmp_path / "after")], tmp_path / "average")
    average = load_file(tmp_path / "average" / "model.safetensors")

    def reached(weights: Weights, lists: Lists) -> float:
        return measured(architecture, weights, lists)

    models = {"before": before, "after": after, "average": average}
    table = {name: (reached(w, general.held_out), reached(w, domain.held_out)) for name, w in models.items()}
    mean = {name: sum(pair) / 2 for name, pair in table.items()}
    assert mean["average"] > max(mean["before"], mean["after"]) + 0.005, table
    assert table["average"][0] > table["after"][0] + 0.03, table
    assert table["after"][1] > table["before"][1] + 0.03, table
