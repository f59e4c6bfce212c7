"""``shortlist rerank`` with cascades and fallback chains, from parameters and from TOML; budgets reach their stages."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from shortlist.backends.fake.endpoint import FakeEndpoint
from shortlist.check import make_ranking
from shortlist.cli import main
from shortlist.cli._params import parse_params
from shortlist.core.errors import ConfigError
from shortlist.formats import read
from shortlist.formats.jsonl import write_jsonl

pytest.importorskip("httpx2", reason="the http extra is not installed")
TOP = tuple(f"d{i}" for i in range(24, 14, -1))


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    """Four queries with 25 passages each; a passage's text begins with its relevance."""
    path = tmp_path / "requests.jsonl"
    write_jsonl([make_ranking(25, seed=i, query_id=f"q{i}", text=f"query {i}") for i in range(4)], path)
    return path


@pytest.fixture
def dead() -> str:
    """The address of a port at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def rerank(*args: object) -> int:
    return main(["rerank", *map(str, args), "--quiet"])


def test_a_cascade_from_parameters(requests: Path) -> None:
    output = requests.parent / "out.jsonl"
    with FakeEndpoint() as endpoint:
        given = ("--model", f"{endpoint.url}/v1", "--option", "model=fake")
        stages = 'stages=["rankgpt", {method = "tdpart", depth = 5}]'
        assert rerank(requests, "--with", "cascade", "--param", stages, *given, "-o", output) == 0
    assert [r.ids[:10] for r in read(output)] == [TOP] * 4


def test_a_chain_from_toml_says_who_answered_and_why_not_the_other(requests: Path, dead: str) -> None:
    output, config = requests.parent / "out.jsonl", requests.parent / "chain.toml"
    with FakeEndpoint() as endpoint:
        config.write_text(
            f"""
method = "fallback"

[[params.stages]]
method = "rankgpt"
model = "{dead}"
options = {{model = "gone", max_attempts = 1}}

[[params.stages]]
method = "rankzephyr"
model = "{endpoint.url}/v1"
options = {{model = "fake"}}
"""
        )
        assert rerank(requests, "--config", config, "-o", output) == 0
    done = list(read(output))
    assert [r.ids[:10] for r in done] == [TOP] * 4 and {r.status for r in done} == {"ranked"}
    assert all(r.reason.startswith("rankgpt: EndpointError") for r in done)
    assert all(r.reason.endswith("; answered by rankzephyr") for r in done)
    manifest = json.loads((requests.parent / "out.jsonl.manifest.json").read_text())
    assert set(manifest["report"]["reasons"]) == {"q0", "q1", "q2", "q3"}


def test_when_all_are_dead_the_first_stages_order_is_left_unscored(requests: Path, dead: str) -> None:
    output = requests.parent / "out.jsonl"
    given = ("--model", dead, "--option", "model=gone", "--option", "max_attempts=1")
    chain = ("--with", "fallback", "--param", 'stages=["rankgpt"]', *given, "-o", output)
    assert rerank(requests, *chain) == 5 and not output.exists(), "the job stops, and the same command continues it"
    assert rerank(requests, *chain, "--on-outage", "unscored") == 3
    before = list(read(requests))
    done = list(read(output))
    assert [r.ids for r in done] == [r.ids for r in before] and {r.status for r in done} == {"unscored"}


def test_a_budget_holds_for_each_stage(requests: Path) -> None:
    output = requests.parent / "out.jsonl"
    with FakeEndpoint() as endpoint:
        given = ("--model", f"{endpoint.url}/v1", "--option", "model=fake", "--max-calls", "1")
        stages = 'stages=["rankgpt", "rankzephyr"]'
        assert rerank(requests, "--with", "cascade", "--param", stages, *given, "-o", output) == 0
        assert len(endpoint.seen) == 4 * 2
    done = list(read(output))
    assert {r.status for r in done} == {"partial"}
    assert all("call budget of 1 used up" in r.reason for r in done)


def test_stages_may_be_written_as_json_and_what_is_neither_says_how() -> None:
    as_json = parse_params(['stages=["yes-no", {"method": "rankgpt", "depth": 30}]'])
    assert as_json == parse_params(['stages=["yes-no", {method = "rankgpt", depth = 30}]'])
    with pytest.raises(ConfigError, match=r"--param stages=\[yes-no: neither TOML nor JSON"):
        parse_params(["stages=[yes-no"])
    assert parse_params(["model=a/b"]) == {"model": "a/b"}
