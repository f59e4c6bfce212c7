"""In lock-step fifty queries take as many calls of the backend as one: what is waited for are rounds, not queries."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from shortlist import Ranking
from shortlist.backends.fake import Oracle
from shortlist.check import make_ranking, registered
from shortlist.check.registered import Registered

QUERY_BY_QUERY = {"late-interaction"}  # its encoder makes its own batches of one query's texts, and keeps them
METHODS = [method for method in registered() if method.name not in QUERY_BY_QUERY]


@dataclass(frozen=True)
class Counted(Oracle):
    """An oracle that counts how often it is called, whatever for."""

    calls: Counter[str] = field(default_factory=Counter, compare=False)

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name in ("judge", "relevance") or name.startswith("_") or not callable(value):
            return value
        super().__getattribute__("calls")[name] += 1
        return value


def spent(method: Registered, rankings: list[Ranking]) -> tuple[Counter[str], list[Ranking]]:
    backend = Counted()
    built = method.build(backend)
    backend.calls.clear()
    done = built.rerank(rankings)
    return backend.calls, done


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_fifty_queries_need_as_many_rounds_as_one(method: Registered) -> None:
    one, (alone,) = spent(method, [make_ranking(22, seed=3)])
    fifty, together = spent(method, [make_ranking(22, seed=3, query_id=f"q{i}") for i in range(50)])
    assert fifty == one, "the backend was called more often for more queries"
    assert 0 < sum(one.values()) <= len(alone.trace) * 3
    assert {ranking.ids for ranking in together} == {alone.ids}
