"""Generators make what they say, and a comparison is fair: same data, same start, same order for every loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from shortlist.core.errors import ConfigError, ScoreError
from shortlist.effects import (
    Comparison,
    Cross,
    Dot,
    LateInteraction,
    Lists,
    Matching,
    Opinions,
    Teacher,
    Training,
    TwoViews,
    compare,
    fit,
    measured,
)
from shortlist.effects.compare import ordered
from shortlist.losses import KL, MSE, Hardest, ListMLE, MarginMSE, SoftmaxCrossEntropy, Sum

SMALL = {"lists": 24, "held_out": 12, "documents": 8, "pool": 10}
GENERATORS = [Matching(**SMALL), Matching(**SMALL, retrieved=3), Opinions(**SMALL), TwoViews(**SMALL)]
PARTS = ("queries", "documents", "targets", "labels", "grades")


@pytest.mark.parametrize("generator", GENERATORS, ids=repr)
def test_a_seed_is_a_world(generator: Any) -> None:
    one, again, other = generator.sample(3), generator.sample(3), generator.sample(4)
    for half in ("train", "held_out"):
        a, b, c = (getattr(sample, half) for sample in (one, again, other))
        assert all(torch.equal(getattr(a, name), getattr(b, name)) for name in PARTS)
        assert not torch.equal(a.queries, c.queries)
        assert a.documents.shape[:2] == a.targets.shape == a.labels.shape == a.grades.shape
        assert len(a) == (24 if half == "train" else 12) and (a.labels.sum(1) == 1).all()
        assert set(a.grades.unique().tolist()) <= {0, 1, 2, 3} and (a.grades.max(1).values == 3).all()
    assert not torch.equal(one.train.queries[:12], one.held_out.queries)


def test_an_offset_moves_all_targets_of_a_query_alike_and_nothing_else() -> None:
    plain, shifted = (Matching(**SMALL, teacher=Teacher(offset=o)).sample(0).train for o in (0.0, 5.0))
    moved = shifted.targets - plain.targets
    torch.testing.assert_close(moved, moved[:, :1].expand_as(moved), atol=1e-4, rtol=0)
    assert float(moved[:, 0].std()) > 2
    assert all(torch.equal(getattr(plain, name), getattr(shifted, name)) for name in PARTS if name != "targets")


def test_what_the_other_parameters_of_a_teacher_do() -> None:
    plain = Matching(**SMALL).sample(0).train.targets
    doubled = Matching(**SMALL, teacher=Teacher(scale=20.0)).sample(0).train.targets
    noisy = Matching(**SMALL, teacher=Teacher(noise=2.0)).sample(0).train.targets
    squashed = Matching(**SMALL, teacher=Teacher(squash=True)).sample(0).train.targets
    torch.testing.assert_close(doubled, 2 * plain)
    assert 1.5 < float((noisy - plain).std()) < 2.5
    torch.testing.assert_close(squashed, plain.sigmoid())


def test_without_noise_the_teacher_orders_as_the_grades_do() -> None:
    for generator in (Matching(), Opinions(heard=1), TwoViews()):
        lists = generator.sample(0).held_out
        by_teacher = lists.grades.gather(1, lists.targets.argsort(dim=1, descending=True))
        assert (by_teacher.diff(dim=1) <= 0).all()


def test_a_first_stage_leaves_better_candidates() -> None:
    free, found = (Matching(retrieved=r).sample(0).train.targets.mean() for r in (1, 4))
    assert found > free + 1


def test_teachers_speak_about_the_same_texts_and_the_mean_is_between_them() -> None:
    one, two, both = (Opinions(heard=h).sample(0).held_out for h in (0, 1, None))
    assert torch.equal(one.documents, two.documents) and torch.equal(one.documents, both.documents)
    torch.testing.assert_close(both.targets, (one.targets + two.targets) / 2)

    def alike(a: Lists, b: Lists) -> float:
        return float(torch.corrcoef(torch.stack([a.targets.flatten(), b.targets.flatten()]))[0, 1])

    assert 0.1 < alike(one, two) < 0.7 < alike(one, both)


def test_two_views_cannot_be_compared_as_they_are() -> None:
    lists = TwoViews().sample(0).held_out
    assert float((lists.queries[:, None] * lists.documents).sum(-1).abs().max()) == 0
    assert (lists.labels.argmax(1) == 0).all() and (lists.targets.argmax(1) == 0).all()


def test_hardest_reads_the_students_first_and_not_the_positive() -> None:
    scores = torch.tensor([[9.0, 0.1, 3.0, 2.0, 1.0]], requires_grad=True)
    targets = torch.tensor([[5.0, 4.0, 1.0, 2.0, 3.0]])
    Hardest(ListMLE(), 2)(scores, targets).backward()
    assert scores.grad is not None
    assert [bool(g) for g in scores.grad[0]] == [False, False, True, True, False]
    kept = torch.tensor([[True, True, False, True, True]])  # padding is never among the hardest
    again = scores.detach().clone().requires_grad_()
    Hardest(ListMLE(), 2)(again, targets, kept).backward()
    assert again.grad is not None and [bool(g) for g in again.grad[0]] == [False, False, False, True, True]


@pytest.mark.parametrize(
    "architecture", [Dot(), Dot(bounded=True), LateInteraction(), LateInteraction(bounded=True), Cross()]
)
def test_training_is_repeatable_and_learns(architecture: Any) -> None:
    sample = Matching(lists=64, held_out=32).sample(0)
    plan = Training(steps=60)
    before = architecture.start(16, 0)
    first, second = (fit(architecture, sample.train, KL(), plan, seed=0) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.equal(value, architecture.start(16, 0)[name]) for name, value in before.items())
    assert measured(architecture, first, sample.held_out) > measured(architecture, before, sample.held_out) + 0.03
    scores = architecture.scores(first, sample.held_out.queries, sample.held_out.documents)
    alone = architecture.scores(first, sample.held_out.queries[:1], sample.held_out.documents[:1, 5:6])
    torch.testing.assert_close(scores[:1, 5:6], alone)
    if getattr(architecture, "bounded", False):
        assert float(scores.abs().max()) <= 3 + 1e-4


def test_labels_reach_those_who_ask_for_them() -> None:
    sample = Matching(**SMALL).sample(0)
    plan = Training(steps=5)
    told = fit(Cross(), sample.train, SoftmaxCrossEntropy(), replace(plan, labels=True), seed=0)
    summed = fit(Cross(), sample.train, Sum(((1.0, SoftmaxCrossEntropy()),), labels=(0,)), plan, seed=0)
    taught = fit(Cross(), sample.train, SoftmaxCrossEntropy("softmax"), plan, seed=0)
    assert all(torch.equal(told[name], summed[name]) for name in told)
    assert not torch.equal(told["first"], taught["first"])


def test_a_comparison_is_a_table() -> None:
    found = compare(
        {"margin": MarginMSE(), "point": MSE()}, Matching(**SMALL), Dot(), seeds=(0, 5), training=Training(5)
    )
    again = compare({"point": MSE()}, Matching(**SMALL), Dot(), seeds=(0, 5), training={"point": Training(5)})
    assert found.values["point"] == again.values["point"]
    by_hand = Comparison("AP", (1, 2), {"a": (0.5, 0.7), "b": (0.25, 0.75)})
    assert by_hand.mean("a") == pytest.approx(0.6) and by_hand.lead("a", "b") == pytest.approx((0.25, -0.05))
    assert str(by_hand).splitlines() == [
        "AP   mean     #1     #2",
        "a   0.600  0.500  0.700",
        "b   0.500  0.250  0.750",
    ]


def test_a_student_that_tells_nothing_apart_is_not_paid_for_where_documents_stand() -> None:
    grades = torch.tensor([[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]])
    assert ordered(torch.zeros(1, 12), grades, "nDCG@10") == 0
    assert ordered(-torch.arange(12.0)[None], grades, "nDCG@10") == 1
    with pytest.raises(ScoreError, match="1 of 2 lists"):
        ordered(torch.tensor([[0.0, 1.0], [0.0, float("nan")]]), grades[:, :2].repeat(2, 1), "nDCG@10")


def test_what_cannot_be_meant_is_refused() -> None:
    for wrong in (
        lambda: Teacher(scale=0),
        lambda: Training(steps=0),
        lambda: Matching(topic=99),
        lambda: Opinions(heard=2),
        lambda: TwoViews(documents=999),
        lambda: Hardest(KL(), 1),
        lambda: compare({}, Matching(), Dot()),
        lambda: compare({"a": KL()}, Matching(), Dot(), training={"b": Training()}),
    ):
        with pytest.raises(ConfigError):
            wrong()
