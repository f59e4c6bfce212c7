"""The tree of shared prefixes and the batches: pure, so they are checked on numbers alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.backends.transformers.batches import Batches
from shortlist.backends.transformers.prefixes import Node, rows_of, shared_prefixes, worthwhile
from shortlist.core.errors import BackendError

ROWS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), max_size=14)


def nodes(node: Node) -> list[Node]:
    return [node, *(inner for child in node.children for inner in nodes(child))]


def rows_under(node: Node) -> list[int]:
    return [*node.rows, *(row for child in node.children for row in rows_under(child))]


@given(ROWS, st.integers(1, 4), st.integers(1, 8), st.integers(0, 3))
def test_every_row_stands_once_and_shares_what_its_nodes_say(
    rows: list[list[int]], least: int, worth: int, levels: int
) -> None:
    tree = shared_prefixes(rows, least=least, worth=worth, levels=levels)
    assert sorted(rows_under(tree)) == list(range(len(rows)))
    for node in nodes(tree):
        under = rows_under(node)
        assert len({tuple(rows[i][: node.end]) for i in under}) <= 1
        assert all(len(rows[i]) >= node.end for i in under)
        for child in node.children:
            assert child.start == node.end
            assert child.end - child.start >= least
            assert (len(rows_under(child)) - 1) * (child.end - child.start) >= worth


def test_instruction_and_query_are_two_levels() -> None:
    head, first, second = [1] * 20, [2] * 20, [3] * 20
    rows = [head + part + [9, i] for part in (first, second) for i in range(5)]
    tree = shared_prefixes(rows)
    (shared,) = tree.children
    assert (shared.start, shared.end, len(shared.children)) == (0, 20, 2)
    assert [(c.start, c.end, c.rows) for c in shared.children] == [(20, 41, (0, 1, 2, 3, 4)), (20, 41, (5, 6, 7, 8, 9))]


@given(ROWS, st.integers(0, 200))
def test_what_is_not_worth_its_cache_is_dissolved_and_no_row_is_lost(rows: list[list[int]], token: int) -> None:
    lengths = [100 * len(row) for row in rows]
    tree = worthwhile(shared_prefixes(rows, least=1, worth=1), lengths, token)
    assert sorted(rows_of(tree)) == list(range(len(rows)))
    for node in nodes(tree):
        assert len({tuple(rows[i][: node.end]) for i in rows_of(node)}) <= 1
        assert all(child.start == node.end for child in node.children)
    if not token:
        assert tree.children == ()


def test_short_rows_share_and_long_ones_with_little_in_common_do_not() -> None:
    head = [1] * 60
    rows = [head + [i] * 40 for i in range(2, 5)]
    tree = shared_prefixes(rows)
    width = 4 * 768
    assert worthwhile(tree, [len(row) for row in rows], width) == tree
    assert worthwhile(tree, [2400] * 3, width).children == ()
    half = shared_prefixes([[1] * 2000 + [i] * 400 for i in range(2, 5)])
    assert worthwhile(half, [2400] * 3, width) == half


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 80), st.booleans())
def test_batches_keep_their_limit_and_run_every_job_once(sizes: list[int], limit: int, even: bool) -> None:
    seen: list[list[int]] = []
    Batches(_torch(), limit).run(range(len(sizes)), sizes, seen.append, even=even)
    assert sorted(job for batch in seen for job in batch) == list(range(len(sizes)))
    for batch in seen:
        assert len(batch) == 1 or len(batch) * max(sizes[job] for job in batch) <= limit
        assert not even or len({sizes[job] for job in batch}) == 1


def test_the_batch_is_halved_once_and_stays_so(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    def work(batch: list[int]) -> None:
        if len(batch) > 4:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        done.extend(batch)

    batches = Batches(_torch(), 80)
    batches.run(range(20), [10] * 20, work)
    assert sorted(done) == list(range(20))
    assert batches.limit == 40
    assert len(caplog.records) == 1
    with pytest.raises(BackendError, match="again, after the batch was halved"):
        batches.run(range(20), [5] * 20, work)


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def work(batch: list[int]) -> None:
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        Batches(_torch(), 80).run([0], [1], work)


def _torch() -> Any:
    return SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False))
