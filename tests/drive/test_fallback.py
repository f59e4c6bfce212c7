"""Stages made of stages: the head of a list, fallback chains, budgets inside them; nothing lost, everything said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from shortlist import Ranking, Scale
from shortlist.backends.fake import Broken, Failing, Noisy, Oracle
from shortlist.check import make_ranking
from shortlist.check.data import true_order
from shortlist.core.errors import BackendError, ConfigError, RankingError
from shortlist.core.types import Candidate, Document, Query
from shortlist.drive import Budget, Fallback, Scheduled, budgeted, limited
from shortlist.pipeline import Cutoff, Head, Stage, Then, top
from shortlist.prompts import load_prompt
from shortlist.readouts import Permutation
from shortlist.schedules import Map, Once, SlidingWindow
from shortlist.scorers import Pairs, Prompted


def pointwise(backend: Oracle | None = None) -> Scheduled:
    return Scheduled(Pairs(backend or Oracle()), Map())


def windows(backend: Oracle | None = None) -> Scheduled:
    return Scheduled(Prompted(load_prompt("rankgpt"), Permutation(), backend or Oracle()), SlidingWindow())


def rankings(*texts: str, n: int = 25) -> list[Ranking]:
    return [make_ranking(n, seed=i, query_id=f"q{i}", text=text) for i, text in enumerate(texts)]


@dataclass(frozen=True)
class Raising(Stage):
    """Raises for the whole batch when one of its queries has ``needle`` in its text; otherwise reverses."""

    needle: str
    batches: list[int] = field(default_factory=list, compare=False)

    def rerank(self, given: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]:
        self.batches.append(len(given))
        if any(self.needle in r.query.text for r in given):
            raise BackendError(f"no answer about {self.needle}")
        return [r.reorder(range(len(r.ids))[::-1]).top(k) for r in given]


def test_the_head_is_reranked_and_the_rest_stays_below() -> None:
    start = make_ranking(41, seed=3)
    (done,) = top(10, pointwise()).rerank([start])
    assert done.ids[10:] == start.ids[10:]
    assert done.ids[:10] == tuple(sorted(start.ids[:10], key=lambda i: -int(i[1:])))
    assert done.status == "ranked" and done.scale == Scale.RANK
    scores = [c.score for c in done.candidates]
    assert scores == [float(n) for n in range(41, 0, -1)]
    came = {c.id: (c.score, position) for position, c in enumerate(start.candidates)}
    assert all((c.first_score, c.first_rank) == came[c.id] for c in done.candidates)
    assert len(done.trace) == 10


@pytest.mark.parametrize("n", [0, 1, 9, 10, 11])
def test_lists_around_the_length_of_the_head(n: int) -> None:
    (done,) = Head(pointwise(), 10).rerank([make_ranking(n)])
    assert sorted(done.ids) == sorted(make_ranking(n).ids)
    assert done.scale == Scale.RANK, "the scale must not depend on the length of the list"


def test_a_cascade_keeps_the_first_stages_scores_and_all_calls() -> None:
    start = make_ranking(60, seed=8)
    cascade = pointwise(Noisy(sigma=4.0)) >> top(30, windows())
    (done,) = cascade.rerank([start])
    (first,) = pointwise(Noisy(sigma=4.0)).rerank([start])
    assert done.ids[30:] == first.ids[30:] and done.ids[:10] == true_order(60)[:10]
    assert {c.id: c.first_score for c in done.candidates} == {c.id: c.score for c in start.candidates}
    assert len(done.trace) == 60 + 2, "60 pointwise calls and two windows over 30"


def test_a_head_that_could_not_be_scored_leaves_the_order_and_the_scores_before_it() -> None:
    start = make_ranking(40, seed=8)
    (done,) = (pointwise() >> top(30, windows(Broken(outputs=("no",))))).rerank([start])
    (first,) = pointwise().rerank([start])
    assert done.status == "unscored" and "no usable output" in done.reason
    assert [(c.id, c.score) for c in done.candidates] == [(c.id, c.score) for c in first.candidates]
    assert done.scale == first.scale and len(done.trace) == 40 + 2


def test_a_stage_in_a_head_that_drops_documents_loses_none() -> None:
    start = make_ranking(20, seed=2)
    (done,) = Head(Cutoff(pointwise(), 3), 10).rerank([start])
    best = sorted(start.ids[:10], key=lambda i: -int(i[1:]))[:3]
    assert list(done.ids[:3]) == best
    assert list(done.ids[3:]) == [i for i in start.ids if i not in best]


def test_a_stage_in_a_head_may_not_invent_documents() -> None:
    @dataclass(frozen=True)
    class Inventing(Stage):
        def rerank(self, given: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]:
            return [replace(r, candidates=(Candidate(Document("new", "x")),)) for r in given]

    with pytest.raises(RankingError, match="'q1': a stage in top\\(\\) added \\['new'\\]"):
        Head(Inventing(), 5).rerank([make_ranking(9)])


@pytest.mark.parametrize("k", [0, -1, True, 2.5])
def test_a_head_has_a_length(k: object) -> None:
    with pytest.raises(ConfigError, match="from 1 up"):
        Head(pointwise(), k)  # type: ignore[arg-type]


def test_each_query_goes_to_the_next_stage_that_answers_and_says_so() -> None:
    given = rankings("fine", "llm down", "llm down and ce down", "fine too")
    chain = Fallback((windows(Failing(needle="llm")), pointwise(Failing(needle="ce"))), ("rankgpt", "cross-encoder"))
    fine, second, neither, also = chain.rerank(given)
    assert (fine.status, fine.reason) == ("ranked", "") and fine.ids[:10] == true_order(25)[:10]
    assert also == windows().rerank([given[3]])[0]
    assert second.status == "ranked" and second.ids == true_order(25) and second.scale == Scale.LOGIT
    assert second.reason.startswith("rankgpt: BackendError: the backend failed on purpose")
    assert second.reason.endswith("; answered by cross-encoder")
    assert neither.status == "unscored" and neither.ids == given[2].ids and neither.scale == given[2].scale
    assert [c.score for c in neither.candidates] == [c.score for c in given[2].candidates]
    first_reason, second_reason = neither.reason.split("; ")
    assert first_reason.startswith("rankgpt: BackendError") and second_reason.startswith("cross-encoder: BackendError")


def test_what_failed_attempts_cost_stays_on_the_record() -> None:
    talks = Broken(outputs=("I would rather not say.",))
    chain = Fallback((windows(talks), pointwise()), ("rankgpt", "cross-encoder"))
    given = make_ranking(25)
    (done,) = chain.rerank([given])
    (failed,) = windows(talks).rerank([given])
    assert failed.status == "unscored"
    assert done.trace == (*failed.trace, *pointwise().rerank([given])[0].trace)
    assert done.usage.calls == failed.usage.calls + 25 and done.repairs == failed.repairs
    assert done.reason == "rankgpt: no usable output in 2 calls; answered by cross-encoder"
    (nobody,) = Fallback((windows(talks), windows(talks))).rerank([given])
    assert nobody.reason == "stage 1: no usable output in 2 calls; stage 2: no usable output in 2 calls"
    assert nobody.usage.calls == 4 and nobody.status == "unscored"


def test_the_trace_of_earlier_stages_comes_first_and_once() -> None:
    (before,) = pointwise().rerank([make_ranking(5)])
    (done,) = Fallback((windows(Broken(outputs=("no",))), windows())).rerank([before])
    assert done.trace[:5] == before.trace
    assert len(done.trace) == 5 + 1 + 1


def test_a_stage_that_raises_for_a_batch_fails_only_the_queries_it_raises_for() -> None:
    raising = Raising("bad")
    given = rankings("good", "bad", "good as well")
    done = Fallback((raising, pointwise()), ("reverse", "cross-encoder")).rerank(given)
    assert raising.batches == [3, 1, 1, 1]
    assert [r.ids for r in done] == [given[0].ids[::-1], true_order(25), given[2].ids[::-1]]
    assert done[1].reason == "reverse: BackendError: no answer about bad; answered by cross-encoder"


def test_what_the_steps_before_a_raising_one_answered_is_not_asked_for_again() -> None:
    class Counting(Oracle):
        asked = 0

        def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
            Counting.asked += len(pairs)
            return super().pair_scores(pairs)

    raising = Raising("bad")
    chain = Fallback((pointwise(Counting()) >> top(5, raising), windows()), ("chain", "rankgpt"))
    done = chain.rerank(rankings("good", "bad", "good as well"))
    assert raising.batches == [3, 1, 1, 1] and Counting.asked == 3 * 25
    assert done[0].ids == (*true_order(25)[4::-1], *true_order(25)[5:])
    assert [r.reason.partition(";")[0] for r in done] == ["", "chain: BackendError: no answer about bad", ""]


def test_a_failing_query_does_not_change_the_others_and_batches_do_not_matter() -> None:
    given = rankings(*("fine" if i % 3 else "llm down" for i in range(40)), n=21)
    chain = Fallback((windows(Failing(needle="llm")), pointwise(Noisy(sigma=2.0))))
    together = chain.rerank(given)
    assert together == [chain.rerank([r])[0] for r in given]
    assert sum(r.reason != "" for r in together) == 14
    assert [r.query.id for r in together] == [r.query.id for r in given]


def test_a_partial_answer_is_an_answer() -> None:
    chain = Fallback((replace(windows(), budget=Budget(calls=2)), pointwise()))
    (done,) = chain.rerank([make_ranking(60)])
    assert done.status == "partial" and done.reason == "call budget of 2 used up"


def test_an_unanswered_query_can_be_raised() -> None:
    chain = limited(Fallback((pointwise(Failing(needle="bad")),), ("cross-encoder",)), on_error="raise")
    with pytest.raises(BackendError, match=r"query 'q1': every stage failed: cross-encoder: BackendError"):
        chain.apply(rankings("good", "bad"))
    assert chain.apply(rankings("good"))[0].status == "ranked"


def test_a_mistake_in_the_configuration_is_no_reason_to_fall_back() -> None:
    whole = Scheduled(Prompted(load_prompt("first"), Permutation("letters"), Oracle()), Once())
    with pytest.raises(ConfigError, match="the scorer takes at most 26"):
        Fallback((whole, pointwise())).rerank([make_ranking(30)])


def test_chains_need_stages_and_one_name_each() -> None:
    with pytest.raises(ConfigError, match="at least one stage"):
        Fallback(())
    with pytest.raises(ConfigError, match="1 stages and 2 names"):
        Fallback((pointwise(),), ("a", "b"))


def test_k_is_a_prefix_and_no_rankings_are_no_work() -> None:
    chain = Fallback((windows(Failing(needle="llm")), pointwise()))
    assert chain.rerank([]) == []
    full, cut = chain.rerank(rankings("llm"))[0], chain.rerank(rankings("llm"), k=4)[0]
    assert cut.ids == full.ids[:4] and cut.reason == full.reason


def test_budgets_reach_every_scheduled_stage_inside() -> None:
    stage = (pointwise() >> top(30, Fallback((windows(), pointwise())))) % 50
    assert budgeted(stage) and not budgeted(Raising("x"))
    inside = limited(stage, budget=Budget(calls=1), on_error="unscored")
    assert isinstance(inside, Cutoff) and isinstance(inside.stage, Then)
    first, head = inside.stage.stages
    assert isinstance(first, Scheduled) and isinstance(head, Head) and isinstance(head.stage, Fallback)
    assert [s.budget.calls for s in (first, *head.stage.stages)] == [1, 1, 1]  # type: ignore[attr-defined]
    assert [s.on_error for s in (first, *head.stage.stages)] == ["unscored"] * 3  # type: ignore[attr-defined]
    assert limited(stage) == stage, "nothing given, nothing changed"
    (done,) = inside.apply([make_ranking(40)])
    assert done.status == "partial" and done.usage.calls == 2, "one call a stage"


def test_budgets_reach_the_branches_of_a_fusion() -> None:
    fused = limited(pointwise() + windows(), budget=Budget(calls=3))
    assert [branch.budget.calls for branch in fused.branches] == [3, 3]  # type: ignore[attr-defined]
    assert fused.apply([make_ranking(10)])


def test_queries_without_candidates_pass() -> None:
    empty = Ranking(Query("q", "x"))
    assert (pointwise() >> top(5, Fallback((windows(), pointwise())))).apply([empty])[0].ids == ()
