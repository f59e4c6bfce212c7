"""``shortlist check backend`` and ``shortlist check reranker``: one line per check, and an exit status to build on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shortlist.backends.fake.endpoint import FakeEndpoint
from shortlist.backends.fake.troubles import Troubles
from shortlist.check import RERANKER_CHECKS
from shortlist.cli import main

SHIPPED = "all-MiniLM-L6-v2"
TRAINED = Path(__file__).parents[1] / "fixtures" / "tiny-ranker"


def test_the_shipped_encoder_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["check", "backend", "--model", SHIPPED, "--kind", "encoder", "--option", "precision=fp32"]
    assert main(given) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == 18 and all(line.startswith("ok  ") for line in lines)
    assert said.err == "18 checks, 0 failed\n"
    assert main([*given, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [set(row) for row in found] == [{"check", "state", "found"}] * 18
    assert found[0] == {"check": "embed: answers nothing with nothing", "state": "ok", "found": ""}


def test_a_tolerance_of_nothing_is_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    given = [
        "check",
        "backend",
        "--model",
        SHIPPED,
        "--kind",
        "encoder",
        "--option",
        "precision=fp32",
        "--within",
        "-1",
    ]
    assert main(given) == 1
    assert "FAILED      embed: is repeatable: the first time and the second: answer 1 of 5" in capsys.readouterr().out


def test_an_endpoint_that_breaks_promises_fails(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("httpx2", reason="the http extra is not installed")
    with FakeEndpoint(usage=False, troubles=Troubles(0.5, ("refuse",))) as endpoint:
        given = ["check", "backend", "--model", f"{endpoint.url}/v1", "--option", "model=fake"]
        assert main(given) == 1
    said = capsys.readouterr()
    assert "FAILED      generate: is repeatable: the first time and the second: answer " in said.out
    assert "ok          generate: answers nothing with nothing\n" in said.out
    assert "not checked generate: counts all of a long prompt: the backend counts no prompt tokens" in said.out
    assert " failed\n" in said.err


def test_an_endpoint_that_keeps_them_passes(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("httpx2", reason="the http extra is not installed")
    with FakeEndpoint(usage=False) as endpoint:
        given = ["check", "backend", "--model", f"{endpoint.url}/v1", "--option", "model=fake"]
        assert main(given) == 0
    said = capsys.readouterr().out
    assert "not checked label_logits: gives sound numbers: none of ('Yes', 'No') was among the tokens" in said


@pytest.mark.slow
def test_a_local_model_is_opened_by_what_its_folder_says(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="torch is not installed (extra `local`)")
    assert main(["check", "backend", "--model", str(TRAINED), "--option", "threads=1"]) == 0
    said = capsys.readouterr().out
    assert "ok          nll: adds up\n" in said and "FAILED" not in said and "not checked" not in said


def test_a_reranker_is_checked_whatever_its_model_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "reranker", "--with", "late-interaction", "--param", "precision=fp32"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(RERANKER_CHECKS) and lines[0] == "ok          keeps a permutation"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["backend", "--model", "http://127.0.0.1:9/v1"], "option model=NAME"),
        (["backend", "--model", "http://127.0.0.1:9/v1", "--kind", "causal"], "is an address, so its kind is not"),
        (["backend", "--model", "x", "--kind", "endpoint"], "is no address, so its kind is not"),
        (["backend", "--model", "x", "--kind", "bird"], "no kind of model named 'bird'"),
        (["backend", "--model", "x", "--kind", "encoder", "--option", "colour=red"], "no option 'colour'"),
        (["reranker", "--with", "rankgtp"], "did you mean 'rankgpt'"),
    ],
)
def test_mistakes_are_one_line(given: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *given]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1


def test_an_endpoint_that_is_down_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("httpx2", reason="the http extra is not installed")
    options = ["--option", "model=x", "--option", "max_attempts=1"]
    assert main(["check", "backend", "--model", "http://127.0.0.1:9/v1", *options]) == 2
    assert "cannot be reached" in capsys.readouterr().err


def test_progress_is_told_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["check", "reranker", "--with", "bi-encoder", "--json"]
    assert main(given) == 0
    quiet = capsys.readouterr()
    assert "..." not in quiet.err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(given) == 0
    shown = capsys.readouterr()
    assert f"\r\x1b[K1/{len(RERANKER_CHECKS)} keeps a permutation ...\r\x1b[K" in shown.err
    assert shown.err.endswith(f"\r\x1b[K{len(RERANKER_CHECKS)} checks, 0 failed\n") and shown.out == quiet.out
