"""What is claimed of distillation losses, on generated data: the direction on every seed, the margin in the mean.

Students have a few thousand weights and losses are taken as they come, without a search for temperatures or rates, so
that an order of losses here says why a loss was made and not which one is best.
"""

from __future__ import annotations

from typing import Any

import pytest

from shortlist.effects import (
    Cross,
    Dot,
    LateInteraction,
    Matching,
    Teacher,
    Training,
    TwoViews,
    compare,
)
from shortlist.losses import (
    KL,
    MSE,
    BinaryCrossEntropy,
    Hardest,
    ListMLE,
    MarginMSE,
    MinMax,
    Normalised,
    RankNet,
    Ranks,
    Scaled,
    SoftmaxCrossEntropy,
    Sum,
)

pytestmark = [pytest.mark.slow, pytest.mark.long]
SEEDS = (0, 1, 2)


@pytest.mark.parametrize("architecture", [Dot(), LateInteraction(), Cross()], ids=lambda a: type(a).__name__)
def test_margins_survive_a_teacher_that_is_off_by_a_constant_per_query(architecture: Any) -> None:
    """Hofstätter et al. 2020: Margin-MSE above pointwise MSE, whatever the architecture. Without the offset the gap
    closes, so that it is the offset which makes it. With pairs of the positive alone, as in the paper, margins are
    ahead by about .03 less (dot product and cross)."""
    losses = {"margin": MarginMSE("all"), "point": MSE()}
    shifted = compare(losses, Matching(teacher=Teacher(noise=0.5, offset=6.0)), architecture, seeds=SEEDS)
    assert min(shifted.lead("margin", "point")) > 0.1, shifted
    assert shifted.mean("margin") > shifted.mean("point") + 0.15, shifted
    plain = compare(losses, Matching(teacher=Teacher(noise=0.5)), architecture, seeds=SEEDS[:1])
    assert plain.lead("margin", "point")[0] < min(shifted.lead("margin", "point")) - 0.05, plain


def test_an_order_of_the_hardest_teaches_more_than_scores_of_all() -> None:
    """Chen et al. 2024 (CPRD): the order of a quarter of the list above squared error of the teacher's probabilities,
    these above KL, each with the same weight beside a contrastive loss; and no worse than the order of the whole list.

    KL and squared error are the plain ones: the teacher's probabilities as they are. Squared error was above KL at
    weights of 1, 5 and 20 beside the contrastive loss (by .004, .008 and .013, seeds 0 and 1), but below it without
    one (.878 against .890), and at weight 1 with twice as many families and twice the blur (.639 against .642): their
    order is that of this setting. CPRD was above both wherever it was tried, without a contrastive loss by .012 only
    (.902).
    """
    sharp = Scaled(10.0)

    def beside(loss: Any) -> Sum:
        return Sum(((1.0, Normalised(SoftmaxCrossEntropy(), sharp)), (5.0, loss)), labels=(0,))

    order = ListMLE(reduce="mean")
    losses = {
        "kl": beside(KL()),
        "mse": beside(MSE()),
        "whole": beside(Normalised(order, sharp)),
        "cprd": beside(Normalised(Hardest(order, 16), sharp)),
    }
    world = TwoViews(lists=256, documents=64)
    found = compare(losses, world, Dot(bounded=True), seeds=SEEDS, measure="nDCG@20")
    assert found.mean("cprd") > found.mean("mse") + 0.04 and min(found.lead("cprd", "mse")) > 0.02, found
    assert found.mean("mse") > found.mean("kl") + 0.005 and min(found.lead("mse", "kl")) > 0, found
    assert found.mean("cprd") > found.mean("whole") - 0.03, found


def test_scores_on_one_scale_make_kl_work() -> None:
    """Clavié 2024 (JaColBERTv2.5): KL of min-max scaled scores above raw KL, where the teacher says (0, 1) and late
    interaction cannot leave [-3, 3]. Raw KL is above raw Margin-MSE with the paper's pairs, the positive against each
    other document; with all pairs the two are alike (.883 and .889), so that is not asserted. Which of the two is
    better after scaling depends on the world, and so does whether the teacher must be scaled too."""
    losses = {
        "scaled": Normalised(KL(), student=MinMax(), teacher=MinMax()),
        "raw": KL(),
        "raw margins": MarginMSE(),
    }
    world = Matching(teacher=Teacher(scale=12.0, noise=1.0, squash=True))
    found = compare(losses, world, LateInteraction(bounded=True), seeds=SEEDS)
    assert found.mean("scaled") > found.mean("raw") + 0.04 and min(found.lead("scaled", "raw")) > 0.02, found
    assert found.mean("raw") > found.mean("raw margins") + 0.04 and min(found.lead("raw", "raw margins")) > 0, found


def test_permutations_teach_a_cross_encoder_more_than_sparse_labels() -> None:
    """A list from a first stage has one label and several relevant documents; the teacher orders all of it, not without
    errors. As many updates on as many lists. A teacher of little worth is below the labels: it is not the loss."""
    order = Normalised(RankNet("ranks"), teacher=Ranks())
    losses = {"softmax": SoftmaxCrossEntropy(), "binary": BinaryCrossEntropy(), "permutations": order}
    plans = {"softmax": Training(labels=True), "binary": Training(labels=True), "permutations": Training()}
    world = {"lists": 128, "documents": 32, "retrieved": 3}
    good = Matching(**world, teacher=Teacher(noise=0.5))
    found = compare(losses, good, Cross(), seeds=SEEDS, training=plans)
    for labels in ("softmax", "binary"):
        assert found.mean("permutations") > found.mean(labels) + 0.05, found
        assert min(found.lead("permutations", labels)) > 0.02, found
    bad = Matching(**world, teacher=Teacher(noise=5.0))
    worse = compare({"permutations": order}, bad, Cross(), seeds=SEEDS[:1])
    assert worse.values["permutations"][0] < found.values["softmax"][0], worse
