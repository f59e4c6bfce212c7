"""Closed forms, written out with plain Python, and identities between losses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from shortlist.core.errors import ConfigError, ScoreError
from shortlist.losses import (
    ADRMSE,
    KL,
    MSE,
    ApproxNDCG,
    BinaryCrossEntropy,
    Focal,
    InfoNCE,
    LambdaLoss,
    ListMLE,
    MarginMSE,
    MinMax,
    Normalised,
    OffsetMargin,
    Orthogonality,
    RankNet,
    Ranks,
    Scaled,
    SoftmaxCrossEntropy,
    Sum,
    Unlikelihood,
    WeightedDirection,
    ZScore,
)

S = [0.3, -1.2, 2.0, 0.9]
T = [1.0, 0.0, 0.4, 3.0]


def one(values: Sequence[float]) -> Any:
    return torch.tensor([list(values)])


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softmax(values: Sequence[float]) -> list[float]:
    whole = sum(math.exp(v) for v in values)
    return [math.exp(v) / whole for v in values]


def test_pointwise() -> None:
    share = [0.0, 1.0, 0.25, 1.0]
    plain = [t * softplus(-s) + (1 - t) * softplus(s) for s, t in zip(S, share, strict=True)]
    assert float(BinaryCrossEntropy()(one(S), one(share))) == pytest.approx(sum(plain) / 4)
    doubled = [2 * t * softplus(-s) + (1 - t) * softplus(s) for s, t in zip(S, share, strict=True)]
    assert float(BinaryCrossEntropy(positive_weight=2)(one(S), one(share))) == pytest.approx(sum(doubled) / 4)
    hard = [0.0, 1.0, 0.0, 1.0]
    focal = []
    for s, t in zip(S, hard, strict=True):
        right = sigmoid(s) if t else 1 - sigmoid(s)
        focal.append((0.25 if t else 0.75) * (1 - right) ** 2 * -math.log(right))
    assert float(Focal()(one(S), one(hard))) == pytest.approx(sum(focal) / 4)
    assert float(Focal(alpha=-1, gamma=0)(one(S), one(hard))) == pytest.approx(
        float(BinaryCrossEntropy()(one(S), one(hard)))
    )
    assert float(MSE()(one(S), one(T))) == pytest.approx(sum((s - t) ** 2 for s, t in zip(S, T, strict=True)) / 4)


def test_margins() -> None:
    first = [((S[0] - S[j]) - (T[0] - T[j])) ** 2 for j in range(1, 4)]
    assert float(MarginMSE()(one(S), one(T))) == pytest.approx(sum(first) / 3)
    every = [((S[i] - S[j]) - (T[i] - T[j])) ** 2 for i, j in itertools.combinations(range(4), 2)]
    assert float(MarginMSE("all")(one(S), one(T))) == pytest.approx(sum(every) / 6)


def test_softmax_and_kl() -> None:
    p, q = softmax(S), softmax(T)
    assert float(SoftmaxCrossEntropy()(one(S), one([0, 0, 1, 0]))) == pytest.approx(-math.log(p[2]))
    shares = [t / sum(T) for t in T]
    expected = -sum(w * math.log(x) for w, x in zip(shares, p, strict=True))
    assert float(SoftmaxCrossEntropy()(one(S), one(T))) == pytest.approx(expected)
    list_net = -sum(w * math.log(x) for w, x in zip(q, p, strict=True))
    assert float(SoftmaxCrossEntropy("softmax")(one(S), one(T))) == pytest.approx(list_net)
    forward = sum(b * math.log(b / a) for a, b in zip(p, q, strict=True))
    reverse = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert float(KL()(one(S), one(T))) == pytest.approx(forward)
    assert float(KL(direction="reverse")(one(S), one(T))) == pytest.approx(reverse)
    soft_p, soft_q = softmax([s / 2 for s in S]), softmax([t / 2 for t in T])
    softer = sum(b * math.log(b / a) for a, b in zip(soft_p, soft_q, strict=True))
    assert float(KL(temperature=2, squared=True)(one(S), one(T))) == pytest.approx(4 * softer)


def test_rank_net_and_its_weights() -> None:
    order = sorted(range(4), key=lambda i: -T[i])
    rank = {i: r for r, i in enumerate(order, 1)}
    pairs = [(i, j) for i, j in itertools.permutations(range(4), 2) if rank[i] < rank[j]]
    plain = sum(softplus(S[j] - S[i]) for i, j in pairs) / 6
    assert float(RankNet()(one(S), one(T))) == pytest.approx(plain)
    first = sum(softplus(S[j] - S[i]) / (rank[i] + rank[j]) for i, j in pairs) / 6
    assert float(RankNet("ranks")(one(S), one(T))) == pytest.approx(first)
    gap = sum(T[i] - T[j] for i, j in pairs) / 6
    margin = sum((T[i] - T[j]) / gap * softplus(S[j] - S[i]) for i, j in pairs) / 6
    assert float(RankNet("margin")(one(S), one(T))) == pytest.approx(margin)
    soft = 0.0
    for i, j in itertools.combinations(range(4), 2):
        share = sigmoid((T[i] - T[j]) / 2)
        soft += share * softplus(S[j] - S[i]) + (1 - share) * softplus(S[i] - S[j])
    assert float(RankNet(soft=True, temperature=2)(one(S), one(T))) == pytest.approx(soft / 6)
    assert float(RankNet()(one(S), one([1, 1, 0, 0]))) == pytest.approx(
        sum(softplus(S[j] - S[i]) for i in (0, 1) for j in (2, 3)) / 4
    )


def test_list_mle_and_its_truncations() -> None:
    s = [S[i] for i in sorted(range(4), key=lambda i: -T[i])]
    terms = [math.log(sum(map(math.exp, s[j:]))) - s[j] for j in range(4)]
    assert float(ListMLE()(one(S), one(T))) == pytest.approx(sum(terms))
    assert float(ListMLE(top=2)(one(S), one(T))) == pytest.approx(sum(terms[:2]))
    assert float(ListMLE(valid=0.9, reduce="mean")(one(S), one(T))) == pytest.approx(sum(terms[:2]) / 2)
    assert float(ListMLE(valid=-9)(one(S), one(T))) == pytest.approx(float(ListMLE()(one(S), one(T))))
    weights = [2.0 ** (4 - j) - 1 for j in range(1, 5)]
    weighted = sum(w * x for w, x in zip(weights, terms, strict=True)) / sum(weights)
    assert float(ListMLE(position="exponential")(one(S), one(T))) == pytest.approx(weighted)


def test_smooth_ranks() -> None:
    smooth = [1 + sum(sigmoid(2 * (S[j] - S[i])) for j in range(4) if j != i) for i in range(4)]
    rank = [2, 4, 3, 1]
    adr = sum((r - x) ** 2 / math.log2(r + 1) for r, x in zip(rank, smooth, strict=True)) / 4
    assert float(ADRMSE(alpha=2)(one(S), one(T))) == pytest.approx(adr)
    gains, ideal = [2**t - 1 for t in T], sorted((2**t - 1 for t in T), reverse=True)
    dcg = sum(g / math.log2(1 + x) for g, x in zip(gains, smooth, strict=True))
    best = sum(g / math.log2(1 + r) for r, g in enumerate(ideal, 1))
    assert float(ApproxNDCG(temperature=0.5)(one(S), one(T))) == pytest.approx(1 - dcg / best)
    assert float(ApproxNDCG(temperature=1e-3)(one(T), one(T))) == pytest.approx(0, abs=1e-6)


def test_lambda_rank_is_the_change_of_ndcg() -> None:
    grades = [1, 0, 2, 3]
    place = {i: r for r, i in enumerate(sorted(range(4), key=lambda i: -S[i]), 1)}
    best = sum((2**g - 1) / math.log2(1 + r) for r, g in enumerate(sorted(grades, reverse=True), 1))

    def ndcg(at: dict[int, int]) -> float:
        return sum((2 ** grades[i] - 1) / math.log2(1 + at[i]) for i in range(4)) / best

    total, count = 0.0, 0
    for i, j in itertools.permutations(range(4), 2):
        if grades[i] > grades[j]:
            swapped = place | {i: place[j], j: place[i]}
            total += abs(ndcg(place) - ndcg(swapped)) * math.log2(1 + math.exp(-(S[i] - S[j])))
            count += 1
    assert float(LambdaLoss("lambdarank")(one(S), one(grades))) == pytest.approx(total / count)


def test_offset_margin_is_brios_closed_form() -> None:
    s = [S[i] for i in sorted(range(4), key=lambda i: -T[i])]
    expected = 0.0
    for i in range(1, 4):
        expected += sum(max(0.0, s[j + i] - s[j] + 0.1 * i) for j in range(4 - i)) / (4 - i)
    assert float(OffsetMargin(0.1)(one(S), one(T))) == pytest.approx(expected)
    with_gold = expected + 0.5 * sum(max(0.0, x - 1.0 + 0.2) for x in s) / 4
    found = OffsetMargin(0.1, gold_margin=0.2, gold_weight=0.5)(one(S), one(T), None, torch.tensor([1.0]))
    assert float(found) == pytest.approx(with_gold)


def test_in_batch_rules() -> None:
    scores = torch.randn(3, 3, 2, generator=torch.Generator().manual_seed(0))

    def expected(i: int, negatives: list[tuple[int, int]]) -> float:
        logits = [float(scores[i, i, 0])] + [float(scores[i, j, d]) for j, d in negatives]
        return -math.log(softmax(logits)[0])

    rules = {
        (True, "all"): lambda i: [(i, 1)] + [(j, d) for j in range(3) if j != i for d in range(2)],
        (False, "all"): lambda i: [(j, d) for j in range(3) if j != i for d in range(2)],
        (True, "positives"): lambda i: [(i, 1)] + [(j, 0) for j in range(3) if j != i],
        (True, "none"): lambda i: [(i, 1)],
    }
    for (own, others), negatives in rules.items():
        wanted = sum(expected(i, negatives(i)) for i in range(3)) / 3
        assert float(InfoNCE(own=own, others=others)(scores)) == pytest.approx(wanted, rel=1e-5)  # type: ignore[arg-type]
    same = torch.zeros(3, 3, 2, dtype=torch.bool)
    same[0, 1, 0] = True  # query 1's positive is relevant for query 0 too
    left_out = [(0, 1)] + [(j, d) for j in (1, 2) for d in range(2) if (j, d) != (1, 0)]
    rest = sum(expected(i, rules[(True, "all")](i)) for i in (1, 2))
    assert float(InfoNCE()(scores, same=same)) == pytest.approx((expected(0, left_out) + rest) / 3, rel=1e-5)


@pytest.mark.parametrize(("weight", "direction"), [("contrastive", "yes"), ("sft", "difference")])
def test_weight_and_direction_give_the_gradient_of_the_loss_they_are_taken_from(weight: Any, direction: Any) -> None:
    torch.manual_seed(1)
    hidden, words = torch.randn(2, 5, 8), torch.randn(8, 2)
    labels = torch.zeros(2, 5)
    labels[:, 2] = 1
    apart, whole = hidden.clone().requires_grad_(), hidden.clone().requires_grad_()
    WeightedDirection(weight, direction)(apart @ words, labels).backward()
    logits = whole @ words
    if weight == "contrastive":
        loss = torch.nn.functional.cross_entropy(logits[..., 1], torch.tensor([2, 2]))
    else:
        loss = BinaryCrossEntropy()(logits[..., 1] - logits[..., 0], labels) * 5  # sum over documents
    loss.backward()
    assert apart.grad is not None and whole.grad is not None
    torch.testing.assert_close(apart.grad, whole.grad, atol=1e-6, rtol=1e-5)


def test_other_shapes() -> None:
    vectors = torch.tensor([[[2.0, 0.0], [0.0, 3.0]], [[1.0, 0.0], [1.0, 0.0]]])
    assert float(Orthogonality()(vectors)) == pytest.approx((0 + 2) / 2)
    logits = torch.log(torch.tensor([[[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]]))
    tokens = torch.tensor([[0, 2]])
    plain = -(math.log(0.3) + math.log(0.2)) / 2
    assert float(Unlikelihood()(logits, tokens)) == pytest.approx(plain, rel=1e-5)
    assert float(Unlikelihood()(logits, tokens, torch.tensor([[True, False]]))) == pytest.approx(
        -math.log(0.3), rel=1e-5
    )


def test_normalisers_and_sums() -> None:
    real = torch.ones(1, 4, dtype=torch.bool)
    low, high = min(T), max(T)
    assert MinMax()(one(T), real)[0].tolist() == pytest.approx([(t - low) / (high - low) for t in T])
    mean = sum(T) / 4
    deviation = math.sqrt(sum((t - mean) ** 2 for t in T) / 4)
    assert ZScore()(one(T), real)[0].tolist() == pytest.approx([(t - mean) / deviation for t in T])
    assert Ranks()(one(T), real)[0].tolist() == [-2, -4, -3, -1]
    assert Scaled(2)(one(T), real)[0].tolist() == pytest.approx([2 * t for t in T])
    both = Sum(((1.0, MSE()), (10.0, RankNet("ranks"))))
    assert float(both(one(S), one(T))) == pytest.approx(
        float(MSE()(one(S), one(T))) + 10 * float(RankNet("ranks")(one(S), one(T)))
    )
    dear = Sum(((0.9, SoftmaxCrossEntropy()), (0.1, KL(2, squared=True))), labels=(0,))
    expected = 0.9 * SoftmaxCrossEntropy()(one(S), one([1, 0, 0, 0])) + 0.1 * KL(2, squared=True)(one(S), one(T))
    assert float(dear(one(S), one(T), labels=one([1, 0, 0, 0]))) == pytest.approx(float(expected))


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ScoreError, match=r"one shape \(lists, documents\)"):
        MSE()(one(S), torch.zeros(1, 3))
    with pytest.raises(ScoreError, match="NaN"):
        MSE()(one([math.nan, 0]), one([0, 0]))
    with pytest.raises(ScoreError, match="exactly one positive"):
        WeightedDirection()(torch.zeros(1, 3, 2), torch.zeros(1, 3))
    for wrong in (
        lambda: RankNet("best"),  # type: ignore[arg-type]
        lambda: KL(temperature=0),
        lambda: InfoNCE(own=False, others="none"),
        lambda: ListMLE(top=0),
        lambda: Normalised(MSE(), student=Ranks()),
        lambda: Sum(()),
    ):
        with pytest.raises(ConfigError):
            wrong()


def test_rank_net_is_what_the_authors_code_computes() -> None:
    """Recorded from ``rank_net(s, t, weighted=True)`` of gangiswag/llm-reranker 2d7cba4 (FIRST) and of
    castorini/rank_llm 1b3cabb (the same number), and from RankGPT's ``rank_net`` (0d62bc3) with labels 1 / rank; torch
    2.13, float32."""
    scores, order = one([0.3, -1.2, 2.0, 0.9, 0.25, -0.4, 1.1, 0.0]), one([3, 1, 7, 2, 8, 4, 6, 5])
    assert float(RankNet("ranks")(scores, order)) == pytest.approx(0.08407904207706451, rel=1e-6)
    assert float(RankNet()(scores, order)) == pytest.approx(0.5698703527450562, rel=1e-6)
    labels = one([1 / (9 - t) for t in order[0].tolist()])
    assert float(RankNet()(scores, labels)) == pytest.approx(0.5698703527450562, rel=1e-6)


def test_e2ranks_ranking_term_is_what_the_authors_code_computes() -> None:
    """Recorded from ``rank_net(10 * s, t)`` of Alibaba-NLP/E2Rank 478f298 (src/modeling.py); torch 2.13, float32."""
    cosines = one([x / 3 for x in (0.3, -1.2, 2.0, 0.9, 0.25, -0.4, 1.1, 0.0)])
    found = Normalised(RankNet(), Scaled(10.0))(cosines, one([3, 1, 7, 2, 8, 4, 6, 5]))
    assert float(found) == pytest.approx(0.9442828893661499, rel=1e-6)
