"""``shortlist rerank --with METHOD --model URL``: language-model methods over an endpoint, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shortlist.backends.fake.endpoint import FakeEndpoint
from shortlist.backends.fake.troubles import Troubles
from shortlist.check import make_ranking
from shortlist.cli import main
from shortlist.formats import read
from shortlist.formats.jsonl import write_jsonl

pytest.importorskip("httpx2", reason="the http extra is not installed")


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    """Four queries with 25 passages each; a passage's text begins with its relevance."""
    path = tmp_path / "requests.jsonl"
    write_jsonl([make_ranking(25, seed=i, query_id=f"q{i}", text=f"query {i}") for i in range(4)], path)
    return path


def rerank(*args: object) -> int:
    return main(["rerank", *map(str, args), "--quiet"])


@pytest.mark.parametrize("method", ["rankgpt", "rankzephyr", "tdpart"])
def test_a_listwise_method_over_an_endpoint(requests: Path, method: str) -> None:
    output = requests.parent / "out.jsonl"
    with FakeEndpoint() as endpoint:
        url = f"{endpoint.url}/v1"
        assert rerank(requests, "--with", method, "--model", url, "--option", "model=fake", "-o", output) == 0
    done = list(read(output))
    assert [r.ids[:10] for r in done] == [tuple(f"d{i}" for i in range(24, 14, -1))] * 4
    assert {r.scale for r in done} == {"rank"} and {r.status for r in done} == {"ranked"}
    manifest = json.loads((requests.parent / "out.jsonl.manifest.json").read_text())
    assert manifest["report"]["usage"]["prompt_tokens"] > 0


def test_a_second_run_pays_nothing_with_a_cache(requests: Path) -> None:
    options = ("--option", "model=fake", "--option", f"cache={requests.parent / 'cache'}")
    with FakeEndpoint() as endpoint:
        given = (requests, "--with", "rankgpt", "--model", f"{endpoint.url}/v1", *options)
        assert rerank(*given, "-o", requests.parent / "one.trec") == 0
        paid = len(endpoint.seen)
        assert rerank(*given, "-o", requests.parent / "two.trec") == 0
        assert len(endpoint.seen) == paid > 0
    assert (requests.parent / "one.trec").read_bytes() == (requests.parent / "two.trec").read_bytes()


def test_troubles_end_in_full_rankings_or_named_failures(requests: Path) -> None:
    output = requests.parent / "out.jsonl"
    with FakeEndpoint(troubles=Troubles(rate=0.3)) as endpoint:
        given = (requests, "--with", "rankgpt", "--model", f"{endpoint.url}/v1", "--option", "model=fake")
        status = rerank(*given, "--option", "timeout=0.5", "-o", output)
    done = list(read(output))
    assert [sorted(r.ids) for r in done] == [sorted(make_ranking(25).ids)] * 4
    assert all(r.reason for r in done if r.status == "unscored")
    assert status == (3 if any(r.status == "unscored" for r in done) else 0)


def test_a_dead_endpoint_stops_the_job_and_the_same_command_continues_it(
    requests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = requests.parent / "out.jsonl"
    given = (requests, "--with", "rankgpt", "--option", "model=fake", "--option", "max_attempts=1", "-o", output)
    with FakeEndpoint() as endpoint:
        gone = f"{endpoint.url}/v1"
    assert rerank(*given, "--model", gone) == 5
    said = capsys.readouterr().err
    assert "stopped: " in said and "0 queries are done" in said and "give the same command again" in said
    assert not output.exists() and (requests.parent / "out.jsonl.journal").exists()
    assert rerank(*given, "--model", gone, "--resume") == 5
    assert rerank(*given, "--model", gone, "--on-outage", "unscored") == 3
    assert {r.status for r in read(output)} == {"unscored"}
    assert rerank(*given, "--model", gone, "--resume") == 2
    assert "no unfinished job" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--with", "rankgpt"], "give a model"),
        (["--with", "rankgpt", "--model", "http://127.0.0.1:9/v1"], "option model=NAME"),
        (["--with", "first", "--model", "URL", "--option", "model=x", "--option", "top_logprobs=0"], "label_logits"),
        (
            ["--with", "rankgpt", "--model", "URL", "--option", "model=x", "--option", "colour=red"],
            "no option 'colour'",
        ),
        (
            ["--with", "rankgpt", "--model", "URL", "--option", "model=x", "--option", "contxt=9"],
            "no option 'contxt' here; did you mean 'context'?",
        ),
    ],
)
def test_mistakes_are_clear(
    requests: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["http://127.0.0.1:9/v1" if a == "URL" else a for a in arguments]
    assert rerank(requests, *given, "-o", requests.parent / "out.trec") == 2
    assert says in capsys.readouterr().err
