"""Lock-step and asynchronous drivers: the same results, whatever the batch; failures and budgets are said."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from shortlist import Candidate, Document, Query, Ranking, Scale
from shortlist.backends.fake import Failing, Noisy, Oracle
from shortlist.check import make_ranking
from shortlist.core.errors import BackendError, ConfigError, ScoreError
from shortlist.core.protocols import Comparable, ScoredGroup
from shortlist.core.types import MISSING, Call, Usage
from shortlist.drive import Budget, Scheduled
from shortlist.drive.concurrent import Threaded
from shortlist.schedules import HeapTopK, Map, Once, RepeatShuffled, SlidingWindow
from shortlist.scorers import Pairs


@dataclass(frozen=True)
class Judge:
    """Scores any group by the oracle; keeps count; ``comparable`` and ``max_group`` as given."""

    comparable: Comparable = "within"
    max_group: int | None = None
    scale: Scale = Scale.LOGIT
    backend: Oracle = Oracle()  # noqa: RUF009
    tokens: int = 10
    shown: list[int] = field(default_factory=list, compare=False)

    def score(self, groups: Sequence[ScoredGroup]) -> list[Call]:
        self.shown.append(len(groups))
        return [
            Call(
                tuple(c.id for c in candidates),
                tuple(self.backend.judge(query.text, [c.document.text for c in candidates])),
                usage=Usage(1, self.tokens),
            )
            for query, candidates in groups
        ]


SCHEDULES = [SlidingWindow(), HeapTopK(children=2, k=10), Once(), SlidingWindow(size=5, stride=3, passes=2)]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_one_query_fifty_queries_and_asynchronous_give_identical_rankings(schedule: object) -> None:
    rankings = [make_ranking(n % 45, seed=n, query_id=f"q{n}") for n in range(50)]
    judge = Judge(backend=Noisy(sigma=3.0))
    together = Scheduled(judge, schedule).rerank(rankings)
    one_by_one = [Scheduled(judge, schedule).rerank([r])[0] for r in rankings]
    concurrently = Scheduled(Threaded(judge, concurrency=3), schedule).rerank(rankings)
    assert together == one_by_one == concurrently
    assert [r.trace for r in together] == [r.trace for r in one_by_one] == [r.trace for r in concurrently]


def test_lockstep_puts_the_due_groups_of_all_queries_into_one_call() -> None:
    judge = Judge()
    Scheduled(judge, SlidingWindow()).rerank([make_ranking(100, query_id=f"q{i}") for i in range(7)])
    assert judge.shown == [7] * 9


def test_asynchronous_keeps_to_the_concurrency_limit() -> None:
    state = {"now": 0, "most": 0}

    @dataclass(frozen=True)
    class Counting(Judge):
        concurrency: int = 4

        async def ascore(self, group: ScoredGroup) -> Call:
            state["now"] += 1
            state["most"] = max(state["most"], state["now"])
            await asyncio.sleep(0.001)
            state["now"] -= 1
            return self.score([group])[0]

    rankings = [make_ranking(30, query_id=f"q{i}") for i in range(3)]
    done = Scheduled(Counting(comparable="across"), Map()).rerank(rankings)
    assert state["most"] == 4
    assert done[0].ids[0] == "d29"


def test_rerank_works_inside_a_running_event_loop() -> None:
    async def notebook() -> list[Ranking]:
        return Scheduled(Threaded(Judge()), SlidingWindow()).rerank([make_ranking(25)])

    assert asyncio.run(notebook())[0].ids[0] == "d24"


@pytest.mark.parametrize("calls", [0, 1, 3, 8, 9, 100])
def test_a_call_budget_is_kept_exactly_and_said(calls: int) -> None:
    (done,) = Scheduled(Judge(), SlidingWindow(), Budget(calls=calls)).rerank([make_ranking(100)])
    assert len(done.trace) == min(calls, 9)
    assert done.status == ("ranked" if calls >= 9 else "partial" if calls else "unscored")
    assert ("call budget" in done.reason) == (calls < 9)
    assert sorted(done.ids) == sorted(make_ranking(100).ids)


def test_a_budget_inside_a_parallel_round_scores_what_it_can() -> None:
    start = make_ranking(100)
    (done,) = Scheduled(Judge(comparable="across"), Map(), Budget(calls=40)).rerank([start])
    scored = start.ids[:40]
    assert done.ids[:40] == tuple(sorted(scored, key=lambda i: -int(i[1:]))), "scored documents, best first"
    assert done.ids[40:] == start.ids[40:], "the rest in first-stage order"
    assert [c.score for c in done.candidates[40:]] == [None] * 60
    assert done.status == "partial"


def test_token_and_time_budgets_stop_between_rounds() -> None:
    (done,) = Scheduled(Judge(tokens=10), SlidingWindow(), Budget(tokens=25)).rerank([make_ranking(100)])
    assert len(done.trace) == 3 and "token budget" in done.reason
    ticks = iter(range(100))
    from shortlist.drive.lockstep import lockstep

    (late,) = lockstep(
        Judge(), SlidingWindow(), [make_ranking(100)], budget=Budget(seconds=4), clock=lambda: float(next(ticks))
    )
    assert len(late.trace) == 3 and late.status == "partial" and "time budget" in late.reason


def test_a_partial_heap_keeps_the_top_found_so_far() -> None:
    (full,) = Scheduled(Judge(), HeapTopK(children=2, k=10)).rerank([make_ranking(60)])
    budget = Budget(calls=len(full.trace) - 2)
    (cut,) = Scheduled(Judge(), HeapTopK(children=2, k=10), budget).rerank([make_ranking(60)])
    assert cut.status == "partial" and cut.ids[:8] == full.ids[:8]


def test_a_failing_query_is_unscored_with_its_reason_and_the_others_are_ranked() -> None:
    good, bad = make_ranking(5, query_id="good"), make_ranking(5, query_id="bad", text="please fail")
    scorer = Pairs(Failing())
    with pytest.raises(BackendError):
        Scheduled(scorer, Map()).rerank([good, bad])
    for wrapped in (scorer, Threaded(scorer)):
        first, second = Scheduled(wrapped, Map(), on_error="unscored").rerank([good, bad])
        assert first.status == "ranked" and first.ids[0] == "d4"
        assert second.status == "unscored" and "BackendError" in second.reason
        assert [c.score for c in second.candidates] == [c.score for c in bad.candidates]


def test_a_query_of_which_nothing_could_be_read_is_unscored() -> None:
    @dataclass(frozen=True)
    class Silent(Judge):
        def score(self, groups: Sequence[ScoredGroup]) -> list[Call]:
            return [Call(tuple(c.id for c in cs), (MISSING,) * len(cs)) for _, cs in groups]

    (done,) = Scheduled(Silent(), SlidingWindow()).rerank([make_ranking(25)])
    assert done.status == "unscored" and done.reason == "no usable output in 2 calls"
    assert done.ids == make_ranking(25).ids


@pytest.mark.parametrize(
    "calls",
    [
        lambda groups: [],
        lambda groups: [Call(("x",), (1.0,)) for _ in groups],
        lambda groups: [Call(tuple(c.id for c in reversed(cs)), (1.0,) * len(cs)) for _, cs in groups],
    ],
)
def test_a_scorer_that_breaks_its_contract_is_caught(calls: object) -> None:
    @dataclass(frozen=True)
    class Wrong(Judge):
        def score(self, groups: Sequence[ScoredGroup]) -> list[Call]:
            return calls(groups)  # type: ignore[operator, no-any-return]

    with pytest.raises(ScoreError):
        Scheduled(Wrong(), SlidingWindow()).rerank([make_ranking(5)])


def test_parts_that_do_not_fit_are_refused_when_built() -> None:
    with pytest.raises(ConfigError, match="within one call"):
        Scheduled(Judge(comparable="within"), Map())
    with pytest.raises(ConfigError, match="within one call"):
        Scheduled(Judge(comparable="within"), RepeatShuffled())
    with pytest.raises(ConfigError, match="at most 9"):
        Scheduled(Judge(max_group=9), SlidingWindow())
    with pytest.raises(ConfigError, match="shows 30 documents at once"):
        Scheduled(Judge(max_group=26), Once()).rerank([make_ranking(30)])
    with pytest.raises(ConfigError, match="expected 0 or more"):
        Budget(calls=-1)


def test_real_scores_are_kept_with_their_scale_and_others_are_rank_derived() -> None:
    (real,) = Scheduled(Judge(comparable="across", scale=Scale.PROBABILITY), Map()).rerank([make_ranking(5)])
    assert real.scale is Scale.PROBABILITY and [c.score for c in real.candidates] == [4, 3, 2, 1, 0]
    (order,) = Scheduled(Judge(), SlidingWindow(size=4, stride=2)).rerank([make_ranking(9)])
    assert order.scale is Scale.RANK and [c.score for c in order.candidates] == [9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_a_threaded_scorer_is_still_the_scorer_it_wraps() -> None:
    wrapped = Threaded(Judge(comparable="across", max_group=7, scale=Scale.COSINE))
    assert (wrapped.comparable, wrapped.max_group, wrapped.scale) == ("across", 7, Scale.COSINE)
    groups = [(r.query, r.candidates) for r in (make_ranking(3), make_ranking(2))]
    assert wrapped.score(groups) == wrapped.scorer.score(groups)


def test_only_scorers_that_wait_can_be_awaited() -> None:
    with pytest.raises(ConfigError, match="not asynchronous; use rerank"):
        asyncio.run(Scheduled(Judge(), SlidingWindow()).arerank([make_ranking(3)]))


def test_a_failure_in_one_of_many_tasks_is_raised_and_the_others_are_gone() -> None:
    queries = [make_ranking(20, query_id=f"q{i}", text="fail" if i == 3 else "ok") for i in range(6)]
    with pytest.raises(BackendError, match="on purpose"):
        Scheduled(Threaded(Pairs(Failing()), concurrency=2), Map()).rerank(queries)


def test_streaming_gives_the_same_in_order() -> None:
    rankings = [make_ranking(9, query_id=f"q{i}", seed=i) for i in range(11)]
    reranker = Scheduled(Judge(), SlidingWindow())
    assert list(reranker.rerank_iter(iter(rankings), k=3, batch=4)) == reranker.rerank(rankings, k=3)


def test_empty_rankings_and_no_rankings() -> None:
    reranker = Scheduled(Judge(), SlidingWindow())
    assert reranker.rerank([]) == []
    (done,) = reranker.rerank([Ranking(Query("q", ""))])
    assert done.candidates == () and done.status == "ranked"
    (single,) = reranker.rerank([Ranking(Query("q", ""), (Candidate(Document("d", ""), 1.0),))])
    assert single.ids == ("d",)


def test_what_a_failed_query_had_paid_for_stays_on_its_record() -> None:
    @dataclass(frozen=True)
    class FailsOnTheLast(Judge):
        concurrency: int = 1

        async def ascore(self, group: ScoredGroup) -> Call:
            if group[1][0].id == "d0":
                raise BackendError("refused")
            return self.score([group])[0]

    start = make_ranking(6)
    last = start.reorder(sorted(range(6), key=lambda i: -int(start.ids[i][1:])))  # d0, which fails, is asked last
    (done,) = Scheduled(FailsOnTheLast(comparable="across"), Map(), on_error="unscored").rerank([last])
    assert done.status == "unscored" and "refused" in done.reason
    assert done.usage.calls == 5 and done.usage.prompt_tokens == 50


def test_a_query_of_which_most_calls_said_nothing_is_partial_and_says_so() -> None:
    @dataclass(frozen=True)
    class OftenSilent(Judge):
        heard: int = 0

        def score(self, groups: Sequence[ScoredGroup]) -> list[Call]:
            calls = super().score(groups)
            silent = [replace(call, scores=(MISSING,) * len(call.scores)) for call in calls]
            return [
                call if i < self.heard else quiet for i, (call, quiet) in enumerate(zip(calls, silent, strict=True))
            ]

    for heard, status in ((0, "unscored"), (4, "partial"), (5, "ranked"), (10, "ranked")):
        (done,) = Scheduled(OftenSilent(comparable="across", heard=heard), Map()).rerank([make_ranking(10)])
        assert done.status == status
        assert done.reason == ("no usable output in 6 of 10 calls" if status == "partial" else done.reason)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_that_a_query_has_no_text_is_noted_on_its_result(asynchronous: bool) -> None:
    scorer = Pairs(Oracle())
    stage = Scheduled(Threaded(scorer) if asynchronous else scorer, Map())
    done = stage.rerank([make_ranking(3, text=" "), make_ranking(3, text="x")])
    assert [dict(r.repairs) for r in done] == [{"empty_query": 1}, {}]
    assert [r.usage.calls for r in done] == [3, 3]
    assert dict((stage >> stage).apply([make_ranking(3, text="")])[0].repairs) == {"empty_query": 1}
