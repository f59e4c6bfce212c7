"""``shortlist llm-serve`` as a process: its address, a run against it, its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shortlist.check import make_ranking
from shortlist.cli import main
from shortlist.formats.jsonl import write_jsonl

TRAINED = Path(__file__).parents[1] / "fixtures" / "tiny-ranker"


@contextmanager
def serving(*args: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "shortlist", "llm-serve", str(TRAINED), "--port", "0", *args]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def asked(url: str, **body: Any) -> Any:
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())


@pytest.mark.slow
def test_a_run_against_it_and_its_end(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed (extra `local`)")
    pytest.importorskip("httpx2", reason="the http extra is not installed")
    write_jsonl([make_ranking(5, seed=1)], tmp_path / "in.jsonl")
    with serving("--name", "tiny", "--max-tokens", "64") as (process, url):
        assert url.startswith("http://127.0.0.1:") and url.endswith("/v1")
        given = [str(tmp_path / "in.jsonl"), "--with", "yes-no", "--model", url, "--option", "model=tiny"]
        assert main(["rerank", *given, "--quiet", "-o", str(tmp_path / "out.trec")]) == 0
        assert len((tmp_path / "out.trec").read_text().splitlines()) == 5
        answer = asked(url, model="tiny", messages=[{"role": "user", "content": "hello"}])
        assert answer["usage"]["completion_tokens"] <= 64
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout is not None and process.stdout.read() == ""


def test_a_model_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["llm-serve", "http://localhost:1/v1"]) == 2
    assert "is an endpoint already" in capsys.readouterr().err
