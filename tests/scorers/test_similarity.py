"""The late-interaction score against its definition, written out slowly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.backends.similarity import combine, feedback, match, min_max
from shortlist.scorers.late import _one_each


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def slow(query: np.ndarray, passages: list[np.ndarray]) -> np.ndarray:
    rows = []
    for states in passages:
        best = [max(cosine(q, t) for t in states) for q in query]
        back = [max(cosine(q, t) for q in query) for t in states]
        rows.append([cosine(query.mean(axis=0), states.mean(axis=0)), sum(best) / len(best), sum(back) / len(back)])
    return np.array(rows)


@given(st.integers(1, 6), st.lists(st.integers(1, 9), min_size=1, max_size=7), st.integers(0, 1000))
def test_match_is_its_definition(query: int, lengths: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    states = random.normal(size=(query, 8)).astype(np.float32)
    passages = [random.normal(size=(n, 8)).astype(np.float32) for n in lengths]
    np.testing.assert_allclose(match(states, passages), slow(states, passages), atol=1e-5)


def test_the_sum_of_the_scaled_parts() -> None:
    matches = np.array([[0.1, 0.5], [0.3, 0.9], [0.2, 0.7]])
    assert combine(matches).tolist() == pytest.approx([0, 2, 1])
    assert combine(matches, [30, 10, 20]).tolist() == pytest.approx([0.2, 2, 1.1])
    assert combine(matches, [30, 10, 20], first_weight=1.0).tolist() == pytest.approx([1, 2, 1.5])


def test_constant_and_empty_lists() -> None:
    assert min_max([3, 3, 3]).tolist() == [0, 0, 0]
    assert min_max([]).tolist() == []
    assert combine(np.zeros((0, 2)), []).tolist() == []
    assert combine(match(np.ones((2, 4), np.float32), [])).tolist() == []
    assert combine(match(np.ones((2, 4)), [np.ones((3, 4))] * 3), [1, 1, 1]).tolist() == [0, 0, 0]


def test_states_of_zeros_and_no_tokens_are_no_match() -> None:
    zeros, none, some = np.zeros((2, 4), np.float32), np.zeros((0, 4), np.float32), np.ones((1, 4), np.float32)
    found = match(some, [zeros, none, some])
    assert found[:, 0].tolist() == pytest.approx([0, 0, 1])
    assert np.isfinite(found).all()
    assert match(none, [some]).tolist() == [[0, 0, 0]]


def test_order_of_the_list_does_not_matter() -> None:
    random = np.random.default_rng(0)
    query, passages = random.normal(size=(3, 8)), [random.normal(size=(n, 8)) for n in (4, 1, 7, 2)]
    order = [2, 0, 3, 1]
    forward = combine(match(query, passages), [1, 2, 3, 4])
    shuffled = combine(match(query, [passages[i] for i in order]), [[1, 2, 3, 4][i] for i in order])
    np.testing.assert_allclose(shuffled, forward[order], atol=1e-6)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=7), st.integers(1, 4), st.integers(0, 1000))
def test_feedback_is_its_definition(lengths: list[int], first: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    passages = [random.normal(size=(n, 8)) for n in lengths]
    scores = random.permutation(len(lengths)).tolist()
    means = [states.mean(axis=0) / np.linalg.norm(states.mean(axis=0)) for states in passages]
    best = sorted(range(len(lengths)), key=lambda i: -scores[i])[:first]
    asked = sum(means[i] for i in best)
    np.testing.assert_allclose(feedback(passages, scores, first), [cosine(asked, mean) for mean in means], atol=1e-5)


def test_feedback_of_nothing_is_nothing() -> None:
    assert feedback([], []).tolist() == []
    assert feedback([np.zeros((0, 4)), np.ones((1, 4))], [2, 1]).tolist() == pytest.approx([0, 1])


def test_a_long_document_is_the_passage_nearest_to_the_query() -> None:
    passages = [np.full((1, 2), float(i)) for i in range(5)]
    chosen = _one_each(passages, np.array([0.1, 0.9, 0.5, 0.2, 0.3]), [3, 2])
    assert [states[0, 0] for states in chosen] == [1.0, 4.0]
