"""The completion cache: nothing is paid twice, nothing damaged is served, processes share it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from shortlist import Ranking
from shortlist.backends.cache import Cached
from shortlist.backends.fake import Broken, Oracle
from shortlist.check import make_ranking
from shortlist.core.errors import BackendError
from shortlist.core.exchange import Completion, Message, Request
from shortlist.core.protocols import Capability
from shortlist.core.types import Repair, Usage
from shortlist.drive import Budget, Scheduled
from shortlist.readouts import Permutation
from shortlist.schedules import SlidingWindow
from shortlist.scorers import Prompted
from shortlist.scorers.prompted_async import PromptedAsync, prompted


@dataclass(frozen=True)
class Echo:
    """Answers with the prompt; keeps what it was asked; fails from the ``fails_at``-th request on."""

    digest: str = "echo-1"
    fails_at: int = 10**9
    asked: list[Request] = field(default_factory=list, compare=False)
    capabilities: frozenset[Capability] = frozenset({Capability.GENERATE, Capability.LABEL_LOGITS})

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [self.one(request) for request in requests]

    def one(self, request: Request) -> Completion:
        if len(self.asked) >= self.fails_at:
            raise BackendError("out of order")
        self.asked.append(request)
        labels = {label: -float(i) for i, label in enumerate(request.labels)} or None
        return Completion(f"said {request.prompt}", labels, request.max_tokens > 1, Usage(1, 10, 3, 2, 0.5))


@dataclass(frozen=True)
class AsyncEcho(Echo):
    concurrency: int = 4

    async def agenerate(self, request: Request) -> Completion:
        await asyncio.sleep(0.001)
        return self.one(request)


@dataclass(frozen=True)
class Listing:
    def render(self, query: Any, candidates: Any, *, labels: tuple[str, ...]) -> Request:
        return Request("\n".join([query.text, *(c.document.text for c in candidates)]), labels)


def test_the_second_time_nothing_is_asked_and_the_same_is_said(tmp_path: Path) -> None:
    requests = [Request("a"), Request("b", labels=("x", "y")), Request("\ud800\x00 \u4e2d", max_tokens=1)]
    first, second = Cached(Echo(), tmp_path), Cached(Echo(), tmp_path)
    fresh, kept = first.generate(requests), second.generate(requests)
    assert second.backend.asked == []  # type: ignore[attr-defined]
    assert [(c.text, c.labels, c.finished) for c in kept] == [(c.text, c.labels, c.finished) for c in fresh]
    assert {c.usage for c in fresh} == {Usage(1, 10, 3, 2, 0.5)}
    assert {c.usage for c in kept} == {Usage(0, 10, 3, 13)}, "not a call, nothing paid, token counts as they were"
    assert first.counts == {"misses": 3} and second.counts == {"hits": 3}


def test_equal_requests_of_one_batch_are_asked_once(tmp_path: Path) -> None:
    for backend in (Echo(), AsyncEcho(digest="other")):
        cached = Cached(backend, tmp_path)
        done = cached.generate([Request("a"), Request("b"), Request("a")])
        assert [c.text for c in done] == ["said a", "said b", "said a"]
        assert len(backend.asked) == 2
        assert sorted(c.usage.calls for c in done) == [0, 1, 1]
    assert Cached(Echo(), tmp_path).generate([]) == []


def test_every_part_of_a_request_and_the_backend_are_in_the_key(tmp_path: Path) -> None:
    base = Request("p")
    others = [
        Request("q"),
        Request("p", labels=("A",)),
        Request("p", prefill="["),
        Request("p", max_tokens=9),
        Request("p", attempt=1),
        Request((Message("user", "p"),)),
        Request((Message("system", "p"),)),
        Request((Message("user", "p"), Message("user", "p"))),
    ]
    cached = Cached(Echo(), tmp_path)
    keys = {cached.key(r) for r in [base, *others]}
    assert len(keys) == len(others) + 1
    assert Cached(Echo("echo-2"), tmp_path).key(base) not in keys
    group = make_ranking(2)
    shown = Request("p", group=(group.query, group.candidates), answer=lambda _: Completion())
    assert cached.key(shown) == cached.key(base), "only what is sent counts"
    assert Request("p", labels=("A", "B")) != Request("p", labels=("AB",))
    assert cached.key(Request("p", labels=("A", "B"))) != cached.key(Request("p", labels=("A,B",)))


def test_damaged_entries_are_misses_counted_and_written_anew(tmp_path: Path) -> None:
    requests = [Request(f"prompt {i}") for i in range(120)]
    Cached(Echo(), tmp_path).generate(requests)
    files = sorted(tmp_path.rglob("*.json"))
    assert len(files) == 120
    rng = random.Random(5)
    for path in files[:60]:
        raw = bytearray(path.read_bytes())
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        path.write_bytes(raw)
    for path in files[60:80]:
        path.write_bytes(path.read_bytes()[: rng.randrange(60)])
    files[80].write_bytes(files[81].read_bytes())
    mended = Cached(Echo(), tmp_path)
    assert [c.text for c in mended.generate(requests)] == [f"said prompt {i}" for i in range(120)]
    assert mended.counts == {"hits": 39, "misses": 81, "corrupt": 81}
    again = Cached(Echo(), tmp_path)
    again.generate(requests)
    assert again.counts == {"hits": 120}


def test_a_disk_that_refuses_costs_the_entry_not_the_answer(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cached = Cached(Echo(), tmp_path / "file")
    assert cached.generate([Request("a")])[0].text == "said a"
    assert cached.counts["unwritten"] == 1


def test_failures_are_not_kept_and_what_was_answered_before_is(tmp_path: Path) -> None:
    failing = AsyncEcho(fails_at=5)
    requests = [Request(f"p{i}") for i in range(20)]
    with pytest.raises(BackendError):
        Cached(failing, tmp_path).generate(requests)
    kept = len(list(tmp_path.rglob("*.json")))
    assert kept == 5
    resumed = AsyncEcho()
    assert [c.text for c in Cached(resumed, tmp_path).generate(requests)] == [f"said p{i}" for i in range(20)]
    assert len(resumed.asked) == 15
    assert not list(tmp_path.rglob("*.tmp"))


def test_it_is_asynchronous_exactly_when_the_backend_is(tmp_path: Path) -> None:
    local, remote = Cached(Echo(), tmp_path), Cached(AsyncEcho(), tmp_path)
    assert not hasattr(local, "agenerate") and not hasattr(local, "concurrency")
    assert type(prompted(Listing(), Permutation(), local)) is Prompted
    assert remote.concurrency == 4 and type(prompted(Listing(), Permutation(), remote)) is PromptedAsync
    assert remote.digest == "echo-1" and remote.capabilities == Echo().capabilities


def test_a_resumed_run_gives_the_same_rankings_also_under_a_budget(tmp_path: Path) -> None:
    start = [make_ranking(30, seed=i, query_id=f"q{i}", text=f"query {i}") for i in range(5)]

    def run(backend: Any, folder: Path, budget: Budget) -> list[Ranking]:
        return Scheduled(Prompted(Listing(), Permutation(), Cached(backend, folder)), SlidingWindow(), budget).rerank(
            start
        )

    for budget in (Budget(), Budget(tokens=150)):
        plain = Scheduled(Prompted(Listing(), Permutation(), Oracle()), SlidingWindow(), budget).rerank(start)
        folder = tmp_path / str(budget.tokens)
        assert run(Oracle(), folder, budget) == plain
        again = run(Oracle(), folder, budget)
        assert again == plain and {r.status for r in plain} == {"partial" if budget.tokens else "ranked"}
        assert sum(r.usage.tokens - r.usage.cached_tokens for r in again) == 0


def test_a_retry_is_kept_under_its_own_key(tmp_path: Path) -> None:
    def run() -> tuple[Ranking, Any]:
        cached = Cached(Broken(rate=0.5, outputs=("no",)), tmp_path)
        scorer = Prompted(Listing(), Permutation(), cached, "retry", retries=20)
        return Scheduled(scorer, SlidingWindow()).rerank([make_ranking(60)])[0], cached.counts

    (first, counts), (second, kept) = run(), run()
    assert first == second and first.repairs == second.repairs and first.repairs["retried"] > 0
    assert counts["hits"] == 0 and kept["misses"] == 0 and kept["hits"] == counts["misses"]


def test_requests_under_way_are_shared_by_event_loops(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    backend = AsyncEcho()
    cached = Cached(backend, tmp_path)

    async def ask() -> list[Completion]:
        return list(await asyncio.gather(*(cached.agenerate(Request("same")) for _ in range(5))))

    with ThreadPoolExecutor(3) as pool:
        done = [c for run in [pool.submit(asyncio.run, ask()) for _ in range(3)] for c in run.result()]
    assert len(done) == 15 and len(backend.asked) == 1 and sum(c.usage.calls for c in done) == 1


def test_a_cancelled_owner_leaves_its_request_to_the_next(tmp_path: Path) -> None:
    cached = Cached(AsyncEcho(), tmp_path)

    async def run() -> str:
        first = asyncio.create_task(cached.agenerate(Request("p")))
        await asyncio.sleep(0)
        second = asyncio.create_task(cached.agenerate(Request("p")))
        await asyncio.sleep(0)
        first.cancel()
        return (await second).text

    assert asyncio.run(run()) == "said p"


def _fill(folder: str, seed: int) -> list[str]:
    requests = [Request(f"p{i}", max_tokens=300) for i in range(60)]
    random.Random(seed).shuffle(requests)
    cached = Cached(Echo(), folder)
    wrong = []
    for request in requests:
        (completion,) = cached.generate([request])
        if completion.text != f"said {request.prompt}":
            wrong.append(completion.text)
    return [*wrong, *(["corrupt"] if cached.counts["corrupt"] else [])]


def test_two_processes_share_a_folder(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.starmap(_fill, [(str(tmp_path), 1), (str(tmp_path), 2)]) == [[], []]
    after = Cached(Echo(), tmp_path)
    after.generate([Request(f"p{i}", max_tokens=300) for i in range(60)])
    assert after.counts == {"hits": 60}


WORKER = """
import sys, time
from shortlist.backends.cache import Cached
from shortlist.core.protocols import Capability
from shortlist.core.exchange import Completion, Request

class Paid:
    digest, capabilities, concurrency = "paid", frozenset({Capability.GENERATE}), 1
    async def agenerate(self, request):
        with open(sys.argv[2], "a") as ledger:
            ledger.write(request.prompt + "\\n")
        return Completion("said " + request.prompt)

cached = Cached(Paid(), sys.argv[1])
for i in range(200):
    (done,) = cached.generate([Request(str(i))])
    assert done.text == f"said {i}"
    print(i, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_run_repeats_at_most_what_was_under_way(tmp_path: Path) -> None:
    ledger, folder = tmp_path / "ledger", tmp_path / "cache"
    kills = 0
    for lines in (3, 40, 90, 10**9):
        command = [sys.executable, "-c", WORKER, str(folder), str(ledger)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            for number, _ in enumerate(worker.stdout):
                if number == lines:
                    os.kill(worker.pid, signal.SIGKILL)
                    kills += 1
                    break
    paid = ledger.read_text().split()
    assert sorted(set(paid), key=int) == [str(i) for i in range(200)]
    assert len(paid) - len(set(paid)) <= kills == 3, "one at a time was under way"


def test_what_the_backend_had_to_mend_is_kept_but_for_what_the_network_did(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Mending(Echo):
        def one(self, request: Request) -> Completion:
            mended = (Repair("segment_cut", 3, "d1: 150 of 200 tokens"), Repair("request_retried", 2))
            return replace(super().one(request), repairs=mended)

    backend = Mending()
    first, second = (Cached(backend, tmp_path).generate([Request("a")])[0] for _ in range(2))
    assert len(backend.asked) == 1
    assert [r.kind for r in first.repairs] == ["segment_cut", "request_retried"]
    assert second.repairs == first.repairs[:1]


def test_answers_that_hold_more_than_an_entry_can_are_not_kept(tmp_path: Path) -> None:
    class Richer(Completion):
        """With something that the cache knows nothing of."""

    @dataclass(frozen=True)
    class Rich(Echo):
        def one(self, request: Request) -> Completion:
            return Richer(super().one(request).text)

    backend = Rich()
    answers = [Cached(backend, tmp_path).generate([Request("a")])[0] for _ in range(2)]
    assert len(backend.asked) == 2 and all(isinstance(answer, Richer) for answer in answers)
