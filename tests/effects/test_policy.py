"""A reward rises: policy gradient over rankings, which sees what a ranking was worth and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from shortlist.effects import Cross, Dot, Matching, Training, fit, measured
from shortlist.losses import PlackettLuce

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.mark.parametrize("architecture", [Dot(), Cross()], ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("seed", [0, 1])
def test_drawn_rankings_and_their_reward_are_enough_to_learn(architecture: Any, seed: int) -> None:
    """nDCG@10 of drawn rankings as reward, grades unseen otherwise: it rises on the lists of the training, and on
    others. Where every ranking is worth the same, nothing moves."""
    sample = Matching().sample(seed)
    told = replace(sample.train, targets=sample.train.grades)
    begun = architecture.start(sample.train.queries.shape[-1], seed)
    plan = Training(steps=150)
    policy = fit(architecture, told, PlackettLuce(), plan, seed=seed)
    for lists, rise in ((sample.train, 0.2), (sample.held_out, 0.1)):
        assert measured(architecture, policy, lists) > measured(architecture, begun, lists) + rise
    same = PlackettLuce(reward=lambda orders, grades: torch.ones(orders.shape[:2]))
    still = fit(architecture, told, same, plan, seed=seed)
    assert measured(architecture, still, sample.held_out) < measured(architecture, begun, sample.held_out) + 0.01
