"""Recorded results of the authors' code, and the judge that both sides were asked with. README.md has the recipes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest


def unit(*parts: object) -> float:
    """A number in [0, 1) that depends on nothing but ``parts``."""
    text = json.dumps(parts, separators=(",", ":"))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


def relevance(n: int, seed: int) -> list[float]:
    """What the documents are worth, by position: falling, with noise of 40 ranks, no two alike."""
    return [n - i + 40.0 * unit("relevance", seed, i) for i in range(n)]


def hash_judge(n: int, seed: int, sigma: float, *, ordered: bool) -> Callable[[Sequence[int]], tuple[float, ...]]:
    """A judge that errs by up to ``sigma``, always the same way for the same group.

    ordered: another presentation of the same documents is another error (so pairs contradict themselves); otherwise
    only the set of documents counts.
    """
    worth = relevance(n, seed)

    def judge(group: Sequence[int]) -> tuple[float, ...]:
        key = list(group) if ordered else sorted(group)
        return tuple(worth[i] + sigma * (2 * unit("error", seed, key, i) - 1) for i in group)

    return judge


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], Any]:
    """The content of a file of recorded results, by its name without suffix."""
    return lambda name: json.loads(Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def judge_of() -> Callable[..., Callable[[Sequence[int]], tuple[float, ...]]]:
    """``hash_judge``, for tests."""
    return hash_judge
