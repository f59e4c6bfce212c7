"""Weights that were trained from int8 rows keep what they learned when they become int8 rows again."""

from __future__ import annotations

import numpy as np
import pytest

from shortlist.backends.embedded.folder import DEFAULT, SHIPPED
from shortlist.backends.embedded.int8_rows import quantise_rows, quantise_trained_rows
from shortlist.backends.embedded.weights import Weights

NAME = "encoder.layer.2.attention.self.query.weight"


@pytest.fixture(scope="module")
def start() -> np.ndarray:
    return Weights((SHIPPED / DEFAULT / "model.safetensors",)).floats(NAME)


def wide(found: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return found[0] * found[1][:, None]


def test_what_training_moved_by_less_than_half_a_step_is_kept(start: np.ndarray) -> None:
    """A small change in one direction, as a gradient makes it: what a token with that direction gets must be there."""
    random = np.random.default_rng(1)
    direction = random.normal(size=384).astype(np.float32)
    direction /= np.linalg.norm(direction)
    out = random.normal(size=384).astype(np.float32)
    steps = np.abs(start).max(axis=1) / 127
    trained = start + 0.15 * (steps * np.sign(out))[:, None] * np.sign(direction)[None, :]
    assert (np.abs(trained - start) < 0.16 * steps[:, None]).all()
    learned = (trained - start) @ direction

    def kept(rows: np.ndarray) -> float:
        return float(((rows - start) @ direction) @ learned / (learned @ learned))

    assert kept(wide(quantise_rows(trained))) < 0.1  # rounded to the nearest step it is gone
    assert kept(wide(quantise_trained_rows(trained))) == pytest.approx(1, abs=0.1)
    again = quantise_trained_rows(trained)
    assert all(np.array_equal(a, b) for a, b in zip(again, quantise_trained_rows(trained), strict=True))
    assert (np.abs(wide(again) - trained) <= 1.001 * again[1][:, None]).all()


def test_rows_on_the_grid_and_rows_that_know_none_are_rounded_to_the_nearest(start: np.ndarray) -> None:
    free = np.random.default_rng(2).normal(size=(500, 384)).astype(np.float32)
    for matrix in (start, free, np.zeros((2, 384), np.float32), free[:, :32] * 0 + 1):
        plain, careful = quantise_rows(matrix), quantise_trained_rows(matrix)
        assert np.array_equal(plain[0], careful[0]) and np.array_equal(plain[1], careful[1])
