"""Through schedule, prompt and readout over a scripted endpoint: nothing is lost, everything is said and counted."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from shortlist import Ranking
from shortlist.backends.fake import Oracle
from shortlist.backends.fake.endpoint import FakeEndpoint
from shortlist.backends.fake.troubles import CONTENT, TRANSPORT, Troubles
from shortlist.backends.http import EndpointError, OpenAICompatible
from shortlist.check import make_ranking
from shortlist.core.protocols import AsyncScorer
from shortlist.drive import Scheduled
from shortlist.readouts import Permutation
from shortlist.schedules import SlidingWindow
from shortlist.scorers import Prompted
from shortlist.scorers.prompted_async import PromptedAsync, prompted

Serve = Callable[..., FakeEndpoint]
Connect = Callable[..., OpenAICompatible]
TIMEOUT = 1.0  # far above what an answer takes here, so that only the scripted silences run into it


def queries(count: int = 12) -> list[Ranking]:
    return [make_ranking(17 + i % 30, seed=i, query_id=f"q{i}", text=f"query number {i}") for i in range(count)]


def rerank(backend: Any, prompt: Any, *, on_error: str = "unscored", retries: int = 2) -> list[Ranking]:
    scorer = prompted(prompt, Permutation(), backend, on_malformed="retry", retries=retries)
    return Scheduled(scorer, SlidingWindow(), on_error=on_error).rerank(queries())  # type: ignore[arg-type]


def _asked_again(body: Any) -> bool:
    return bool(body["temperature"])


def rows(rankings: list[Ranking]) -> bytes:
    """What a file would hold, times apart."""
    kept = [
        (
            r.query.id,
            r.status,
            r.reason,
            [(c.id, c.score) for c in r.candidates],
            [(call.group, call.scores, call.output, [(p.kind, p.count) for p in call.repairs]) for call in r.trace],
            (r.usage.calls, r.usage.prompt_tokens, r.usage.completion_tokens),
        )
        for r in rankings
    ]
    return re.sub(r":\d{4,5}/v1", ":PORT/v1", json.dumps(kept)).encode()


@pytest.mark.parametrize(("rate", "cap"), [(0.0, 4), (0.01, 4), (0.1, 4), (0.3, 4), (0.3, 1)])
def test_every_query_ends_ranked_or_unscored_with_the_reason_and_attempts_are_exact(
    serve: Serve, connect: Connect, listing: Any, rate: float, cap: int
) -> None:
    endpoint = serve(troubles=Troubles(rate, seed=3))
    backend = connect(endpoint, max_attempts=cap, timeout=TIMEOUT, seed=7)
    done = rerank(backend, listing())
    for before, after in zip(queries(), done, strict=True):
        assert sorted(after.ids) == sorted(before.ids)
        assert after.status in ("ranked", "unscored")
        assert bool(after.reason) == (after.status == "unscored")
        if after.status == "unscored":
            assert after.ids == before.ids, "an unscored query keeps the first stage's order"
    counts = backend.counts
    asked = Counter(json.dumps(seen.body, sort_keys=True) for seen in endpoint.seen)
    assert max(asked.values()) <= cap
    assert counts["attempts"] == len(endpoint.seen)
    visible = sum(seen.trouble in TRANSPORT for seen in endpoint.seen)
    retried = sum(n for name, n in counts.items() if name.startswith("retried_"))
    assert retried + counts["failed"] == visible, "every trouble was retried or said"
    assert counts["failed"] == sum(r.status == "unscored" and "Error" in r.reason for r in done)
    again = Counter(seen.body["messages"][0]["content"].split()[0] for seen in endpoint.seen if _asked_again(seen.body))
    for ranking in done:
        if ranking.status == "ranked" and not any(seen.trouble in TRANSPORT for seen in endpoint.seen):
            assert ranking.repairs["retried"] == again[ranking.query.id], "asked again for a malformed answer"
    if rate == 0.3 and cap == 1:
        assert {r.status for r in done} == {"ranked", "unscored"}, "the hard case shows both ends"
    if rate == 0.0:
        assert counts == {"requests": len(asked), "attempts": len(asked), "answered": len(asked)}


def test_without_troubles_the_result_is_that_of_lock_step_with_the_oracle_in_process(
    serve: Serve, connect: Connect, listing: Any
) -> None:
    local = Scheduled(Prompted(listing(), Permutation(), Oracle()), SlidingWindow()).rerank(queries())
    remote = rerank(connect(serve()), listing())
    assert remote == local
    assert [[c.scores for c in r.trace] for r in remote] == [[c.scores for c in r.trace] for r in local]
    assert [r.usage.calls for r in remote] == [r.usage.calls for r in local]


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_the_same_seed_gives_the_same_bytes_at_any_concurrency(
    serve: Serve, connect: Connect, listing: Any, rate: float
) -> None:
    plan = Troubles(rate, seed=11, kinds=tuple(k for k in TRANSPORT + CONTENT if k != "time_out"))
    runs = [
        rerank(connect(serve(troubles=plan), max_attempts=2, seed=7, concurrency=n), listing(), retries=1)
        for n in (8, 8, 2)
    ]
    assert rows(runs[0]) == rows(runs[1]) == rows(runs[2])
    other = serve(troubles=Troubles(rate, seed=12, kinds=plan.kinds))
    assert rows(rerank(connect(other, max_attempts=2, seed=7), listing(), retries=1)) != rows(runs[0])


@pytest.mark.parametrize("kind", TRANSPORT)
def test_an_endpoint_that_always_fails_leaves_queries_unscored_with_its_reason(
    serve: Serve, connect: Connect, listing: Any, kind: Any
) -> None:
    endpoint = serve(troubles=Troubles(1.0, (kind,)))
    backend = connect(endpoint, max_attempts=2, timeout=0.2 if kind == "time_out" else 60)
    scorer = prompted(listing(), Permutation(), backend)
    (done,) = Scheduled(scorer, SlidingWindow(), on_error="unscored").rerank([make_ranking(5)])
    said = {
        "rate_limit": "answered 429 (Rate limit reached)",
        "error": "answered 500 (The server had an error)",
        "unavailable": "answered 503 (The engine is overloaded)",
        "time_out": "did not answer within timeout=0.2 s",
        "drop": "broke off the connection",
        "half_json": "answered something that is not JSON",
        "wrong_type": "Sign in to continue",
    }
    assert done.status == "unscored" and said[kind] in done.reason and "after 2 attempts" in done.reason
    assert len(endpoint.seen) == 2


@pytest.mark.parametrize("kind", CONTENT)
def test_bad_texts_are_read_repaired_and_counted(serve: Serve, connect: Connect, listing: Any, kind: Any) -> None:
    backend = connect(serve(troubles=Troubles(1.0, (kind,))))
    scorer = prompted(listing(), Permutation(), backend)
    (done,) = Scheduled(scorer, SlidingWindow()).rerank([make_ranking(6)])
    assert sorted(done.ids) == sorted(make_ranking(6).ids)
    if kind == "refuse":
        assert done.status == "unscored" and "no usable output" in done.reason
    elif kind == "truncate":
        assert done.status == "ranked" and done.repairs["truncated_output"] and done.repairs["appended_missing"]
    else:
        assert done.ids == tuple(f"d{i}" for i in range(5, -1, -1)), "said twice, still the right order"


def test_a_failing_query_stops_the_run_unless_it_is_isolated(serve: Serve, connect: Connect, listing: Any) -> None:
    backend = connect(serve(troubles=Troubles(1.0, ("unavailable",))), max_attempts=1)
    with pytest.raises(EndpointError, match="answered 503"):
        rerank(backend, listing(), on_error="raise")


def test_the_asynchronous_scorer_is_chosen_by_the_backend(serve: Serve, connect: Connect, listing: Any) -> None:
    remote = prompted(listing(), Permutation(), connect(serve()))
    assert isinstance(remote, PromptedAsync) and isinstance(remote, AsyncScorer) and remote.concurrency == 8
    local = prompted(listing(), Permutation(), Oracle())
    assert type(local) is Prompted and not isinstance(local, AsyncScorer)


def test_no_more_requests_are_under_way_than_allowed(serve: Serve, connect: Connect, listing: Any) -> None:
    endpoint = serve(work=0.005, gather=3)
    rerank(connect(endpoint, concurrency=3), listing())
    assert endpoint.peak == 3
    both = connect(endpoint, concurrency=2)
    endpoint.peak, endpoint.gather = 0, 2
    both.generate([listing().render(r.query, r.candidates[:5], labels=()) for r in queries(12)])
    assert endpoint.peak == 2


def test_usage_adds_up(serve: Serve, connect: Connect, listing: Any) -> None:
    endpoint = serve(troubles=Troubles(0.3, ("refuse", "rate_limit"), seed=1))
    done = rerank(connect(endpoint, seed=1, max_attempts=10), listing(), retries=10)
    answered = [seen for seen in endpoint.seen if seen.trouble != "rate_limit"]
    shown = sum(len(seen.body["messages"][0]["content"].split()) for seen in answered)
    assert sum(r.usage.prompt_tokens for r in done) == shown
    assert sum(r.usage.calls for r in done) == len(answered), "an answer that had to be asked for again was paid for"
