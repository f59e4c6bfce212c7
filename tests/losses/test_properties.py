"""What every loss over lists must hold: padding never leaks, half precision is survived, and which changes of the
teacher a loss may not notice (the invariance table of the methods' specification)."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from shortlist.losses import (
    ADRMSE,
    KL,
    MSE,
    ApproxNDCG,
    BinaryCrossEntropy,
    Focal,
    Hardest,
    LambdaLoss,
    ListLoss,
    ListMLE,
    MarginMSE,
    MinMax,
    Normalised,
    OffsetMargin,
    PlackettLuce,
    RankNet,
    SoftmaxCrossEntropy,
    Sum,
    ZScore,
)

LOSSES: dict[str, ListLoss] = {
    "mse": MSE(),
    "margin-mse": MarginMSE(),
    "margin-mse-all": MarginMSE("all"),
    "bce": BinaryCrossEntropy(),
    "focal": Focal(),
    "softmax": SoftmaxCrossEntropy(),
    "list-net": SoftmaxCrossEntropy("softmax"),
    "kl": KL(),
    "kl-reverse": KL(2.0, "reverse", squared=True),
    "rank-net": RankNet(),
    "rank-net-first": RankNet("ranks"),
    "rank-net-margin": RankNet("margin"),
    "rank-net-soft": RankNet(soft=True),
    "list-mle": ListMLE(),
    "list-mle-4": ListMLE(top=4, reduce="mean"),
    "p-list-mle": ListMLE(position="exponential"),
    "list-mle-valid": ListMLE(valid=0.5),
    "cprd": Hardest(ListMLE(), k=3),
    "adr-mse": ADRMSE(),
    "approx-ndcg": ApproxNDCG(),
    "lambda": LambdaLoss(),
    "lambda-k": LambdaLoss("lambdarank", k=3),
    "ndcg1": LambdaLoss("ndcg1"),
    "brio": OffsetMargin(0.1),
    "plackett-luce": PlackettLuce(4, gain="linear"),
    "kl-min-max": Normalised(KL(), MinMax(), MinMax()),
    "kl-z": Normalised(KL(), ZScore(), ZScore()),
    "sum": Sum(((1.0, MSE()), (2.0, ListMLE()))),
}

NOISY = ("plackett-luce",)  # other scores, other noise: what must hold in the mean only is in test_plackett_luce.py


def given(lists: int = 3, documents: int = 6, seed: int = 0) -> tuple[Any, Any]:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(lists, documents, generator=random), torch.rand(lists, documents, generator=random)


def gradient(loss: ListLoss, scores: Any, targets: Any, mask: Any = None) -> Any:
    leaf = scores.clone().requires_grad_()
    loss(leaf, targets, mask).backward()
    return leaf.grad


@pytest.mark.parametrize("name", LOSSES)
def test_padding_never_leaks(name: str) -> None:
    loss = LOSSES[name]
    scores, targets = given()
    for filling in (0.0, 1e4, float("nan"), float("inf")):
        padded = torch.full((3, 9), filling), torch.full((3, 9), filling if filling == filling else 7.0)
        mask = torch.zeros(3, 9, dtype=torch.bool)
        where = [0, 1, 3, 4, 6, 8]  # in the middle and at the end, not first: Margin-MSE's positive is first
        padded[0][:, where], padded[1][:, where], mask[:, where] = scores, targets, True
        assert float(loss(padded[0], padded[1], mask)) == pytest.approx(float(loss(scores, targets)), rel=1e-5)
        slopes = gradient(loss, padded[0], padded[1], mask)
        torch.testing.assert_close(slopes[:, where], gradient(loss, scores, targets), atol=1e-6, rtol=1e-4)
        assert not slopes[:, [2, 5, 7]].any()


@pytest.mark.parametrize("name", LOSSES)
def test_a_document_of_which_the_teacher_said_nothing_is_left_out(name: str) -> None:
    loss = LOSSES[name]
    scores, targets = given()
    fewer = loss(scores[:, :5], targets[:, :5])
    targets = targets.clone()
    targets[:, 5] = float("-inf")
    assert float(loss(scores, targets)) == pytest.approx(float(fewer), rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_an_empty_list_and_a_list_of_one_change_nothing_and_give_no_nan(name: str) -> None:
    loss = LOSSES[name]
    scores, targets = given(2)
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[1] = False
    assert float(loss(scores, targets, mask)) == pytest.approx(float(loss(scores[:1], targets[:1])), rel=1e-5)
    assert torch.isfinite(gradient(loss, scores, targets, mask)).all()
    mask[0, 1:] = False
    assert torch.isfinite(gradient(loss, scores, targets, mask)).all()
    assert not gradient(loss, scores, targets, torch.zeros_like(mask)).any()


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in NOISY])
def test_half_precision_and_far_scores_stay_finite(name: str) -> None:
    loss = LOSSES[name]
    scores, targets = given()
    for kind, tolerance in ((torch.float16, 0.02), (torch.bfloat16, 0.1)):
        half = loss(scores.to(kind), targets)
        assert half.dtype == torch.float32
        assert float(half) == pytest.approx(float(loss(scores, targets)), rel=tolerance, abs=tolerance)
    far = torch.tensor([[6e4, -6e4, 0.0, 6e4, 1.0, -1.0]], dtype=torch.float16)
    slopes = gradient(loss, far.float(), targets[:1])
    assert torch.isfinite(slopes).all()


def squash(targets: Any) -> Any:
    return (3 * targets).tanh()


TABLE = {  # loss: does its gradient stay when the teacher is shifted, tripled, squashed monotonely?
    "mse": (False, False, False),
    "margin-mse": (True, False, False),
    "margin-mse-all": (True, False, False),
    "kl": (True, False, False),
    "list-net": (True, False, False),
    "kl-min-max": (True, True, False),
    "kl-z": (True, True, False),
    "rank-net-margin": (True, True, False),
    "rank-net-soft": (True, False, False),
    "rank-net": (True, True, True),
    "rank-net-first": (True, True, True),
    "list-mle": (True, True, True),
    "list-mle-4": (True, True, True),
    "cprd": (True, True, True),
    "p-list-mle": (True, True, True),
    "adr-mse": (True, True, True),
    "brio": (True, True, True),
    "plackett-luce": (False, True, False),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_a_loss_may_not_notice_of_the_teacher(name: str) -> None:
    loss = LOSSES[name]
    scores, targets = given()
    base = gradient(loss, scores, targets)
    changes = (targets + torch.tensor([[5.0], [-2.0], [9.0]]), 3 * targets, squash(targets))
    for change, stays in zip(changes, TABLE[name], strict=True):
        same = torch.allclose(base, gradient(loss, scores, change), atol=1e-5)
        assert same is stays


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in NOISY])
def test_a_step_against_the_gradient_lowers_the_loss(name: str) -> None:
    loss = LOSSES[name]
    scores, targets = given(seed=3)
    stepped = scores - 0.01 * gradient(loss, scores, targets)
    assert float(loss(stepped, targets)) < float(loss(scores, targets))


ORDERING = ("rank-net", "rank-net-first", "list-mle", "lambda", "adr-mse", "kl", "margin-mse-all")


@pytest.mark.parametrize("name", ORDERING)
def test_descent_finds_the_teachers_order(name: str) -> None:
    scores, targets = given(lists=2, seed=5)
    scores.requires_grad_()
    optimiser = torch.optim.Adam([scores], 0.1)
    for _ in range(300):
        optimiser.zero_grad()
        LOSSES[name](scores, targets * 4).backward()
        optimiser.step()
    assert torch.equal(scores.argsort(1), targets.argsort(1))
