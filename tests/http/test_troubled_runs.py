"""Whole jobs over an endpoint in trouble: what the output says equals what the endpoint saw, and a kill costs little.

``test_troubles`` looks at rerankers; here is the file that a job leaves behind, for many seeds, and what is paid twice.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist import Ranking
from shortlist.backends.fake.endpoint import FakeEndpoint
from shortlist.backends.fake.troubles import CONTENT, TRANSPORT, Troubles
from shortlist.backends.http import OpenAICompatible
from shortlist.check import make_ranking
from shortlist.drive import Scheduled
from shortlist.formats import read
from shortlist.formats.jsonl import write_jsonl
from shortlist.jobs import RerankReport, rerank_file
from shortlist.readouts import Permutation
from shortlist.schedules import SlidingWindow
from shortlist.scorers.prompted_async import prompted

Serve = Callable[..., FakeEndpoint]
Connect = Callable[..., OpenAICompatible]
QUICK = tuple(kind for kind in TRANSPORT if kind != "time_out")  # a silence takes as long as it takes
COUNTED = {
    "rate_limit": "status_429",
    "error": "status_500",
    "unavailable": "status_503",
    "time_out": "timeout",
    "drop": "dropped",
    "half_json": "not_json",
    "wrong_type": "not_json",
}


def queries(count: int = 6) -> list[Ranking]:
    return [make_ranking(15 + 7 * (i % 3), seed=i, query_id=f"q{i}", text=f"query number {i}") for i in range(count)]


def job(output: Path, backend: Any, prompt: Any, *, retries: int = 2, count: int = 6) -> RerankReport:
    scorer = prompted(prompt, Permutation(), backend, on_malformed="retry", retries=retries)
    stage = Scheduled(scorer, SlidingWindow(), on_error="unscored")
    return rerank_file(queries(count), stage, output, writer=write_jsonl, texts=True, batch=3)


def said(output: Path) -> bytes:
    """The output with the port, which differs, and times taken out."""
    raw = re.sub(rb":\d{4,5}/v1", b":PORT/v1", output.read_bytes())
    return re.sub(rb'"seconds": [0-9.e-]+', b'"seconds": 0', raw)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.3])
@settings(max_examples=6, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), cap=st.integers(1, 5), concurrency=st.integers(1, 9))
def test_the_output_of_a_job_accounts_for_every_request(
    tmp_path: Path, serve: Serve, connect: Connect, listing: Any, rate: float, seed: int, cap: int, concurrency: int
) -> None:
    endpoint = serve(troubles=Troubles(rate, QUICK + CONTENT, seed=seed))
    backend = connect(endpoint, max_attempts=cap, seed=7, concurrency=concurrency)
    output = tmp_path / f"{rate}-{seed}-{cap}-{concurrency}.jsonl"
    job(output, backend, listing())
    done = list(read(output))
    for before, after in zip(queries(), done, strict=True):
        assert after.query.id == before.query.id and sorted(after.ids) == sorted(before.ids)
        assert (after.status == "ranked" and not after.reason) or (after.status == "unscored" and after.reason)
    asked = Counter(json.dumps(seen.body, sort_keys=True) for seen in endpoint.seen)
    assert max(asked.values()) <= cap, "no request is sent more often than allowed"
    counts = backend.counts
    assert counts["attempts"] == len(endpoint.seen)
    assert counts["attempts"] == counts["answered"] + counts["failed"] + sum(
        n for name, n in counts.items() if name.startswith("retried_")
    )
    failed = 0
    met = Counter(COUNTED[seen.trouble] for seen in endpoint.seen if seen.trouble in COUNTED)
    for kind, seen in met.items():
        assert seen - counts[f"retried_{kind}"] >= 0, f"{kind} was retried more often than it was met"
        failed += seen - counts[f"retried_{kind}"]
    assert failed == counts["failed"] == sum("Error" in r.reason for r in done)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.3, 0.8])
def test_refusals_and_what_was_asked_again_are_counted_exactly(
    tmp_path: Path, serve: Serve, connect: Connect, listing: Any, rate: float
) -> None:
    endpoint = serve(troubles=Troubles(rate, ("refuse",), seed=5))
    report = job(tmp_path / "out.jsonl", connect(endpoint, seed=7), listing(), count=12)
    repairs = Counter(report.repairs)
    again = sum(bool(seen.body["temperature"]) for seen in endpoint.seen)
    assert repairs["retried"] == again
    refused = sum(seen.trouble == "refuse" for seen in endpoint.seen)
    assert refused == again + repairs["no_identifiers"], "a refusal is asked again, or stands on the result"
    assert report.usage.calls == len(endpoint.seen), "an answer that had to be asked for again was paid for"
    unscored = [r for r in read(tmp_path / "out.jsonl") if r.status == "unscored"]
    assert len(unscored) == report.statuses.get("unscored", 0) == len(report.reasons)
    assert all(re.fullmatch(r"no usable output in \d+ calls?", r.reason) for r in unscored)
    if rate == 0.8:
        assert repairs["no_identifiers"] and 0 < len(unscored) < 12


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_the_same_seed_gives_the_same_file(
    tmp_path: Path, serve: Serve, connect: Connect, listing: Any, rate: float
) -> None:
    files = []
    for number, concurrency in enumerate((8, 8, 2)):
        endpoint = serve(troubles=Troubles(rate, QUICK + CONTENT, seed=11))
        output = tmp_path / f"{number}.jsonl"
        job(output, connect(endpoint, max_attempts=2, seed=7, concurrency=concurrency), listing(), retries=1, count=12)
        files.append(said(output))
    assert files[0] == files[1] == files[2]
    endpoint = serve(troubles=Troubles(rate, QUICK + CONTENT, seed=12))
    job(tmp_path / "other.jsonl", connect(endpoint, max_attempts=2, seed=7), listing(), retries=1, count=12)
    assert said(tmp_path / "other.jsonl") != files[0]


WORKER = """
import sys
from pathlib import Path
from shortlist import load
from shortlist.backends.http import OpenAICompatible, Patience
from shortlist.backends.cache import Cached
from shortlist.check import make_ranking
from shortlist.formats.jsonl import write_jsonl
from shortlist.jobs import RerankReport, rerank_file

url, cache, output = sys.argv[1:]
backend = OpenAICompatible(url, "fake", concurrency=4, max_attempts=20, patience=Patience(0.001, 0.01, open_after=99))
rankings = [make_ranking(45, seed=i, query_id=f"q{i}", text=f"query number {i}") for i in range(30)]
stage = load("rankgpt", backend=Cached(backend, cache))
rerank_file(rankings, stage, Path(output), writer=write_jsonl, texts=True, batch=10)
"""
CONCURRENCY = 4


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_a_killed_run_resumes_without_paying_again(tmp_path: Path, serve: Serve, rate: float) -> None:
    kinds = tuple(kind for kind in QUICK if kind != "drop")
    endpoint = serve(troubles=Troubles(rate, kinds, seed=3, retry_after=0), work=0.005)
    output, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    kills = 0
    for stop_at in (15, 45, 80, None):
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, f"{endpoint.url}/v1", str(tmp_path / "cache"), str(output)]
        )
        while worker.poll() is None:
            if stop_at is not None and len(paid(endpoint)) >= stop_at:
                os.kill(worker.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.002)
        worker.wait()
    assert worker.returncode == 0 and kills == 3
    bought = paid(endpoint)
    assert len(bought) - len(set(bought)) <= kills * CONCURRENCY, "only what was under way is paid for twice"
    done = list(read(output))
    assert [r.status for r in done] == ["ranked"] * 30
    fresh = serve(troubles=Troubles(0.0))
    subprocess.run([sys.executable, "-c", WORKER, f"{fresh.url}/v1", str(tmp_path / "new"), str(whole)], check=True)
    assert [(r.ids, [c.score for c in r.candidates]) for r in done] == [
        (r.ids, [c.score for c in r.candidates]) for r in read(whole)
    ]
    assert set(bought) == set(paid(fresh))


def paid(endpoint: FakeEndpoint) -> list[str]:
    """The questions that were answered, in order; one that came back spoiled was not, nor one that a kill cut off."""
    answered = [seen for seen in list(endpoint.seen) if seen.trouble not in TRANSPORT and isinstance(seen.body, dict)]
    return [json.dumps(seen.body["messages"]) for seen in answered]
