"""The table of methods says what a method really asks."""

from __future__ import annotations

import pytest

from shortlist.check import Registered, make_ranking, registered
from shortlist.check.table import per_group
from shortlist.drive import Scheduled
from shortlist.drive.simulate import perfect, simulate

METHODS = [method for method in registered() if isinstance(method.build(), Scheduled)]


@pytest.mark.parametrize("method", METHODS, ids=[method.name for method in METHODS])
def test_calls_are_those_that_an_oracle_was_asked(method: Registered) -> None:
    """On one ranking, whose relevance the simulated judge knows as well as the oracle does."""
    ranking, built = make_ranking(30, seed=4), method.build()
    (done,) = built.rerank([ranking])
    judge = perfect([float(c.id.removeprefix("d")) for c in ranking.candidates])
    spent = simulate(built.schedule, 30, judge)
    requests, _ = per_group(built, spent.documents / spent.calls)
    assert done.usage.calls == spent.calls * requests
