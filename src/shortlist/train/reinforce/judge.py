"""All answers of a generation to rewards: query by query, with every document and every answer of it in one call.

A reward may compare the answers of a query with each other (ERank's does, over all its documents), so a query whose
answers are not all here is refused, not paid by half. It does not know trainers: it is given rows and tokens.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import ConfigError
from ...rewards import Reward
from .prompts import Prompts

Answer = tuple[int, Sequence[int]]
"""The row that was asked, and the tokens of the answer."""


@dataclass(frozen=True)
class Judge:
    """rollouts: answers to each row. parameters: of the reward."""

    prompts: Prompts
    rollouts: int
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def rewards(self, answers: Sequence[Answer]) -> list[Reward]:
        """One for each answer, in their order. Raises ConfigError when a query's answers are not all among them."""
        queries: dict[int, list[int]] = {}
        for place, (row, _) in enumerate(answers):
            queries.setdefault(self.prompts.place(row)[0], []).append(place)
        found: dict[int, Reward] = {}
        for number, places in queries.items():
            self._whole(number, [answers[place][0] for place in places])
            said = [self.prompts.rollout(*answers[place]) for place in places]
            paid = self.prompts.kind.reward(said, self.prompts.record(number), **self.parameters)
            found |= dict(zip(places, paid, strict=True))
        return [found[place] for place in range(len(answers))]

    def _whole(self, number: int, rows: Sequence[int]) -> None:
        first, each = number * self.prompts.each, self.prompts.each
        if Counter(rows) != dict.fromkeys(range(first, first + each), self.rollouts):
            raise ConfigError(
                f"query {self.prompts.group(number).query.id!r}: {len(rows)} of {each * self.rollouts} answers are "
                "here, but the reward is of all of them together; this version of TRL groups prompts otherwise than "
                "the one that this was written for (1.16)"
            )


def columns(rewards: Sequence[Reward]) -> dict[str, float]:
    """What a generation earned: ``reward_TERM``, means over all answers, whose sum is the mean reward; and
    ``gate_NAME``, the share of answers that broke that rule of form. ``reward_gates`` is what gates paid instead."""
    sums: dict[str, float] = defaultdict(float)
    for reward in rewards:
        for name, value in reward.terms.items():
            sums[f"reward_{name}"] += value
        rest = reward.total - sum(reward.terms.values())
        if reward.gate:
            sums[f"gate_{reward.gate}"] += 1
            sums["reward_gates"] += rest
    return {name: value / len(rewards) for name, value in sorted(sums.items())}
