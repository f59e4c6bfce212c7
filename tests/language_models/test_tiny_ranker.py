"""The trained model of the fixtures ranks: generated queries that it has not seen, shipped templates, real readouts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from shortlist.backends.transformers import CausalLM
from shortlist.core.types import Call
from shortlist.prompts import load_prompt
from shortlist.readouts import FirstToken, Permutation, YesNo
from shortlist.scorers.prompted import Prompted

UNSEEN = 99


@pytest.fixture(scope="module")
def backend(trained: Path) -> CausalLM:
    return CausalLM(trained)


def ndcg(grades: Sequence[int], scores: Sequence[float]) -> float:
    """nDCG@10 with gains 2^grade - 1; ties keep the given order."""

    def gained(order: Sequence[int]) -> float:
        return sum((2 ** grades[i] - 1) / math.log2(rank + 2) for rank, i in enumerate(order[:10]))

    best = gained(sorted(range(len(grades)), key=lambda i: -grades[i]))
    return gained(sorted(range(len(grades)), key=lambda i: -scores[i])) / best if best else 1.0


def mean(rows: Sequence[Any], scores: Sequence[Sequence[float]]) -> float:
    return sum(ndcg(row.grades, s) for row, s in zip(rows, scores, strict=True)) / len(rows)


def scored(scorer: Prompted, rows: Sequence[Any]) -> list[Call]:
    return list(scorer.score([(row.query, row.candidates) for row in rows]))


def test_the_queries_are_held_out_of_training(build_tool: ModuleType) -> None:
    trained = build_tool.queries(2000, 1, seed=1, held_out=False)
    seen = {frozenset(row.query.text.split()) for row in trained}
    asked = {frozenset(row.query.text.split()) for row in build_tool.queries(2000, 1, seed=UNSEEN)}
    assert not asked & seen
    assert len(asked) > 1900
    assert build_tool.queries(3, 4, seed=5) == build_tool.queries(3, 4, seed=5)


def test_yes_and_no_rank_twenty_passages(backend: CausalLM, build_tool: ModuleType) -> None:
    rows = build_tool.queries(20, 20, seed=UNSEEN)
    scorer = Prompted(load_prompt("yes-no"), YesNo("Yes", "No"), backend)
    calls = iter(scorer.score([(row.query, (c,)) for row in rows for c in row.candidates]))
    scores = [[next(calls).scores[0] for _ in row.candidates] for row in rows]
    given = mean(rows, [[0.0] * 20 for _ in rows])
    assert given < 0.6
    assert mean(rows, scores) > 0.99


def test_letters_rank_a_window(backend: CausalLM, build_tool: ModuleType) -> None:
    rows = build_tool.queries(40, 8, seed=UNSEEN)
    calls = scored(Prompted(load_prompt("first"), FirstToken(), backend), rows)
    assert mean(rows, [[0.0] * 8 for _ in rows]) < 0.8
    assert mean(rows, [call.scores for call in calls]) > 0.9


def test_a_written_permutation_ranks_a_window(backend: CausalLM, build_tool: ModuleType) -> None:
    rows = build_tool.queries(40, 6, seed=UNSEEN)
    calls = scored(Prompted(load_prompt("rankzephyr"), Permutation(), backend), rows)
    assert mean(rows, [[0.0] * 6 for _ in rows]) < 0.8
    assert mean(rows, [call.scores for call in calls]) > 0.9
    assert sum(call.repairs == () for call in calls) >= 20  # the others name a passage twice


def test_the_files_are_small(trained: Path) -> None:
    assert sum(p.stat().st_size for p in trained.iterdir()) < 1_000_000
