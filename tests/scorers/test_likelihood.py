"""Likelihoods as scores: what is asked, what is counted, what is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from shortlist.backends.fake import Oracle
from shortlist.check import make_ranking
from shortlist.check.data import true_order
from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Likelihood, Request
from shortlist.core.protocols import Capability
from shortlist.core.types import MISSING, Candidate, Document, Query, Scale, Usage
from shortlist.drive import Scheduled
from shortlist.prompts import Fitted, load_prompt
from shortlist.rerank import query_likelihood, upr
from shortlist.schedules import Map
from shortlist.scorers.likelihood import QueryLikelihood
from shortlist.scorers.pairs import Pairs

GROUPS = [(Query("q", "why is it"), (Candidate(Document(f"d{i}", "word " * 9)),)) for i in range(2)]


@dataclass
class Told:
    """Finds everything as likely as it is told, and takes note of what it was asked."""

    values: Sequence[float] = (-6.0, -3.0)
    asked: list[tuple[Request, str]] = field(default_factory=list)
    eos: bool = False
    capabilities = frozenset({Capability.NLL})
    digest = "told"

    def nll(self, asked: Sequence[tuple[Request, str]], *, eos: bool = False) -> list[Likelihood]:
        self.asked += asked
        self.eos = eos
        return [Likelihood(v, 3, Usage(1, 5, 3)) for v, _ in zip(self.values, asked, strict=True)]


def test_the_sum_and_the_mean_of_the_target() -> None:
    backend = Told()
    scorer = QueryLikelihood(load_prompt("upr"), backend, "Question: {query}", eos=True)
    assert [c.scores for c in scorer.score(GROUPS)] == [(-6.0,), (-3.0,)]
    assert [target for _, target in backend.asked] == ["Question: why is it"] * 2 and backend.eos
    assert backend.asked[0][0].group == GROUPS[0]
    mean = QueryLikelihood(load_prompt("upr"), backend, output="mean")
    assert [c.scores for c in mean.score(GROUPS)] == [(-2.0,), (-1.0,)]
    assert (mean.scale, mean.comparable, mean.max_group) == (Scale.LIKELIHOOD, "across", 1)
    assert mean.requires == {Capability.NLL}


def test_a_likelihood_that_is_no_number_is_no_score() -> None:
    scorer = QueryLikelihood(load_prompt("upr"), Told((math.nan, -math.inf)))
    calls = scorer.score(GROUPS)
    assert [c.scores for c in calls] == [(MISSING,)] * 2
    assert [r.kind for c in calls for r in c.repairs] == ["no_likelihood"] * 2


def test_the_target_has_its_room_in_the_context_and_cuts_are_recorded() -> None:
    def words(text: str) -> int:
        return len(text.split())

    def asked(query: str) -> tuple[int, list[str]]:
        backend = Told()
        fitted = Fitted(load_prompt("query-likelihood"), 16, words, least=2, per_message=0)
        (call, _) = QueryLikelihood(fitted, backend).score([(Query("q", query), c) for _, c in GROUPS])
        request, target = backend.asked[0]
        return words(str(request.prompt)) + words(target), [r.detail for r in call.repairs]

    assert asked("why") == (16, ["d0: 6 of 9 tokens"])
    assert asked("why is it so") == (16, ["d0: 3 of 9 tokens"])


def test_what_does_not_fit_is_refused_when_built() -> None:
    class TextOnly(Oracle):
        capabilities = frozenset({Capability.GENERATE})  # type: ignore[assignment]

    with pytest.raises(ConfigError, match="QueryLikelihood needs the capability nll; TextOnly has generate"):
        QueryLikelihood(load_prompt("upr"), TextOnly())
    with pytest.raises(ConfigError, match=r"expected \{query\} in it once"):
        QueryLikelihood(load_prompt("upr"), Told(), "question")
    with pytest.raises(ConfigError, match="expected 'sum' or 'mean'"):
        QueryLikelihood(load_prompt("upr"), Told(), output="max")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="has no target"):
        upr.build(backend=Told(), prompt="monot5")
    with pytest.raises(ConfigError, match="the option cache is for generated answers"):
        upr.build(backend=Told(), options={"cache": "/tmp/x"})
    with pytest.raises(ConfigError, match="needs the capability nll"):
        upr.build(model="http://localhost:9/v1", options={"model": "x"})
    with pytest.raises(ConfigError, match="expected 'plain' or 'tevatron'"):
        Pairs(Oracle(), titled="none")  # type: ignore[arg-type]


def test_methods_hold_their_sources_settings() -> None:
    first, second = upr.build(backend=Oracle()).scorer, query_likelihood.build(backend=Oracle()).scorer
    assert isinstance(first, QueryLikelihood) and isinstance(second, QueryLikelihood)
    assert (first.target, first.eos, first.output) == ("Question: {query}", True, "sum")
    assert (second.target, second.eos, second.output) == ("{query}", False, "sum")


def test_an_oracle_orders_by_likelihood() -> None:
    (done,) = Scheduled(QueryLikelihood(load_prompt("upr"), Oracle()), Map()).rerank([make_ranking(30)])
    assert done.ids == true_order(30) and done.scale == Scale.LIKELIHOOD
    assert all(c.score is not None and c.score < 0 for c in done.candidates)
