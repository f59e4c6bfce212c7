"""What of TRL's reports is recorded, under names of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMES = {
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "reward": "reward",
    "reward_std": "reward_std",
    "kl": "kl",
    "entropy": "entropy",
    "completions/mean_length": "answer_tokens",
    "completions/clipped_ratio": "answers_cut",
    "frac_reward_zero_std": "prompts_without_signal",
    "clip_ratio/region_mean": "tokens_clipped",
}
_OURS = ("reward_", "gate_")


def row(step: int, logs: Mapping[str, Any]) -> dict[str, float]:
    """A report as a line; clocks are left out, so that equal trainings leave equal files."""
    named = {ours: logs[theirs] for theirs, ours in _NAMES.items() if logs.get(theirs) is not None}
    added = {name: value for name, value in logs.items() if name.startswith(_OURS) and value is not None}
    return {"step": step, **{name: float(value) for name, value in {**named, **added}.items()}}
