"""The Plackett-Luce policy gradient against exact enumeration: lists of four have 24 rankings."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
import torch

from shortlist.core.errors import ConfigError
from shortlist.losses import PlackettLuce
from shortlist.losses.plackett_luce import drawn, log_likelihood, ndcg

SCORES = torch.tensor([[0.4, -0.3, 1.1, 0.0]])
GRADES = torch.tensor([[2.0, 0.0, 1.0, 1.0]])
ALL = torch.tensor([list(permutations(range(4)))])  # (1, 24, 4)
REAL = torch.ones(1, 4, dtype=torch.bool)


def exact(scores: Any, k: int | None = 10, temperature: float = 1.0) -> tuple[float, Any]:
    """The expected nDCG@k, and its gradient, by summing over all rankings."""
    leaf = scores.clone().requires_grad_()
    shares = log_likelihood(leaf / temperature, ALL, REAL).exp()
    expected = (shares * ndcg(ALL, GRADES.exp2() - 1, k)).sum()
    expected.backward()
    return float(expected.detach()), leaf.grad


def test_the_likelihoods_of_all_rankings_sum_to_one_and_prefixes_to_their_ends() -> None:
    whole = log_likelihood(SCORES, ALL, REAL).exp()
    assert float(whole.sum()) == pytest.approx(1.0, abs=1e-6)
    prefix = log_likelihood(SCORES, ALL, REAL, 2).exp()
    for i, order in enumerate(ALL[0].tolist()):
        same = [j for j, other in enumerate(ALL[0].tolist()) if other[:2] == order[:2]]
        assert float(prefix[0, i]) == pytest.approx(float(whole[0, same].sum()), abs=1e-6)


def test_the_likelihoods_gradient_is_that_of_finite_differences() -> None:
    scores = torch.randn(2, 5, dtype=torch.double, generator=torch.Generator().manual_seed(1), requires_grad=True)
    real = torch.tensor([[True] * 5, [True, True, False, True, False]])
    orders = drawn(scores.float(), real, 3)
    for k in (None, 1, 3):
        assert torch.autograd.gradcheck(lambda s, k=k: log_likelihood(s, orders, real, k), scores)


def test_rankings_are_drawn_as_often_as_they_are_likely() -> None:
    orders = drawn(SCORES, REAL, 40_000)[0]
    likely = log_likelihood(SCORES, ALL, REAL).exp()[0]
    for order, share in zip(ALL[0], likely, strict=True):
        found = float((orders == order).all(1).float().mean())
        assert found == pytest.approx(float(share), abs=4 * (float(share) / 40_000) ** 0.5)


@pytest.mark.parametrize("k", [1, 2, None])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_mean_of_many_gradients_is_the_exact_one(k: int | None, temperature: float) -> None:
    expected, wanted = exact(SCORES, k, temperature)
    leaf = SCORES.clone().requires_grad_()
    loss = PlackettLuce(k, samples=60_000, temperature=temperature)(leaf, GRADES)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(1 - expected, abs=0.005)
    torch.testing.assert_close(leaf.grad, -wanted, atol=0.004, rtol=0)


def test_the_baseline_leaves_the_mean_exactly_where_it_is() -> None:
    """Two samples, weighted over all 24 x 24 pairs by how likely they are: no noise is left to hide a bias."""
    _, wanted = exact(SCORES, 2)
    leaf = SCORES.clone().requires_grad_()
    logs = log_likelihood(leaf, ALL, REAL, 2)[0]
    shares = log_likelihood(SCORES, ALL, REAL).exp()[0]
    worth = ndcg(ALL, GRADES.exp2() - 1, 2)[0]
    gap = worth[:, None] - worth[None, :]
    each = (gap * logs[:, None] - gap * logs[None, :]) / 2
    (shares[:, None] * shares[None, :] * each).sum().backward()
    torch.testing.assert_close(leaf.grad, wanted, atol=1e-6, rtol=0)


def test_the_baseline_lowers_the_variance() -> None:
    def spread(baseline: bool) -> float:
        found = []
        for seed in range(200):
            leaf = SCORES.clone().requires_grad_()
            if baseline:
                PlackettLuce(samples=8, seed=seed)(leaf, GRADES).backward()
            else:
                orders = drawn(leaf, REAL, 8, seed)
                (-ndcg(orders, GRADES.exp2() - 1) * log_likelihood(leaf, orders, REAL)).mean().backward()
            found.append(leaf.grad)
        return float(torch.stack(found).var(0).sum())

    assert spread(True) < 0.25 * spread(False)


def test_any_reward_of_order_and_grades_will_do() -> None:
    """Whether the first document has the best grade: its expectation is the softmax's share of that document."""

    def first(orders: Any, grades: Any) -> Any:
        return (orders[..., 0] == grades.argmax(1, keepdim=True)).float()

    leaf = SCORES.clone().requires_grad_()
    loss = PlackettLuce(1, samples=60_000, reward=first)(leaf, GRADES)
    loss.backward()
    share = SCORES.softmax(1)[0]
    assert float(loss.detach()) == pytest.approx(1 - float(share[0]), abs=0.01)
    wanted = share[0] * (share - torch.tensor([1.0, 0, 0, 0]))
    torch.testing.assert_close(leaf.grad[0], wanted, atol=0.006, rtol=0)


def test_the_noise_follows_from_seed_and_scores() -> None:
    again = [PlackettLuce(seed=seed)(SCORES, GRADES) for seed in (1, 1, 2)]
    assert again[0] == again[1] != again[2]
    assert not torch.equal(drawn(SCORES, REAL, 16), drawn(SCORES + 0.01, REAL, 16))


def test_far_scores_and_lists_without_a_relevant_document_give_no_gradient() -> None:
    for scores, grades in ((SCORES * 1e4, GRADES), (SCORES, GRADES * 0)):
        leaf = scores.clone().requires_grad_()
        PlackettLuce()(leaf, grades).backward()
        torch.testing.assert_close(leaf.grad, torch.zeros_like(leaf), atol=1e-9, rtol=0)


@pytest.mark.parametrize("wrong", [{"samples": 1}, {"k": 0}, {"temperature": 0.0}, {"gain": "cubic"}])
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        PlackettLuce(**wrong)


def test_ascent_finds_the_best_order() -> None:
    """From the worst order; the opposite sign would keep it there."""
    scores = torch.tensor([[0.0, 1.0, 2.0, 3.0]], requires_grad=True)
    grades = torch.tensor([[3.0, 2.0, 1.0, 0.0]])
    optimiser = torch.optim.Adam([scores], 0.1)
    for _ in range(200):
        optimiser.zero_grad()
        PlackettLuce()(scores, grades).backward()
        optimiser.step()
    assert scores[0].argsort(descending=True).tolist() == [0, 1, 2, 3]
