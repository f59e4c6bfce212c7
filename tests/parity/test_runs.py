"""Whole runs: prompts, schedule and readout together, against the authors' loop with its own prompts and parser.

A run was recorded as what its model was asked and what it answered. Ours is given the same model: it knows these
requests and no others, so the first request that differs from the authors' by a character ends the test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest

from shortlist import load
from shortlist.core.exchange import Completion, Request
from shortlist.core.protocols import Capability
from shortlist.core.types import Candidate, Document, Query, Ranking

Recorded = Callable[[str], Any]


@dataclass
class Recording:
    """Answers the requests of a recorded run, and fails on any other."""

    answers: Mapping[str, str]
    digest: str = "recording"
    asked: set[str] = field(default_factory=set)

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.GENERATE})

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [Completion(request.prefill + self.answers[self._known(request)]) for request in requests]

    def _known(self, request: Request) -> str:
        assert isinstance(request.prompt, tuple)
        said = [[m.role, m.content] for m in request.prompt]
        said += [["prefill", request.prefill]] if request.prefill else []
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        key = sha256(text.encode()).hexdigest()[:16]
        assert key in self.answers, f"the authors' code did not ask this: {said}"
        self.asked.add(key)
        return key


RUNS = [
    ("RankGPT", "rankgpt", "plain", {}),
    ("rank_llm RankZephyr", "rankzephyr", "texts", {}),
    ("llm-rankers Setwise 3", "setwise", "texts", {"children": 3}),
    ("llm-rankers Setwise 9", "setwise", "texts", {"children": 9}),
    ("llm-rankers PRP heapsort", "prp", "texts", {"mode": "sorting"}),
]


@pytest.mark.parametrize(("reference", "name", "texts", "parameters"), RUNS, ids=[run[0] for run in RUNS])
def test_a_whole_run(recorded: Recorded, reference: str, name: str, texts: str, parameters: Mapping[str, Any]) -> None:
    """Every request of theirs and no other, and their order at the end; RankGPT's texts are without bracketed numbers,
    which it does not neutralise."""
    golden = recorded("runs")
    run = golden["runs"][reference]
    backend = Recording(run["exchanges"])
    documents = [Document(f"d{i}", text) for i, text in enumerate(golden[texts])]
    ranking = Ranking(Query("q", golden["query"]), tuple(Candidate(d) for d in documents))
    (out,) = load(name, backend=backend, **parameters).rerank([ranking])
    assert out.ids == tuple(f"d{i}" for i in run["order"])
    assert backend.asked == set(run["exchanges"])
