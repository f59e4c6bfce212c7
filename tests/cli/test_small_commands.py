"""``methods``, ``doctor``, ``demo`` and the dispatcher."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import shortlist
from shortlist.check import doctor
from shortlist.check.table import method_rows
from shortlist.cli import commands, main
from shortlist.core.errors import BackendError


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    overview = capsys.readouterr().out
    for name in commands():
        assert f"  {name} " in overview
        with pytest.raises(SystemExit) as stopped:
            main([name, "--help"])
        assert stopped.value.code == 0
        assert f"usage: shortlist {name}" in capsys.readouterr().out


def test_version_and_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"shortlist {shortlist.__version__}\n"
    assert main(["rernk"]) == 2
    assert "no command named 'rernk'; did you mean 'rerank'?" in capsys.readouterr().err


def test_methods_in_three_forms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(shortlist.available())
    assert rows["cross-encoder"]["calls"] == 100 and rows["late-interaction"]["calls"] == 1
    assert main(["methods", "--markdown", "--candidates", "50"]) == 0
    assert "| cross-encoder | pointwise | Pairs x Map | 50 | 1 |" in capsys.readouterr().out
    assert main(["methods"]) == 0
    assert "late-interaction" in capsys.readouterr().out
    assert all(row.source for row in method_rows())


def test_doctor_tries_what_it_reports(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["doctor", "--json"]) == 0
    findings = {f["what"]: f for f in json.loads(capsys.readouterr().out)}
    assert findings["default reranker"]["state"] == "ok" and findings["first stage: BM25"]["state"] == "ok"

    def broken() -> str:
        raise BackendError("the weights are gone")

    def absent() -> str:
        raise ModuleNotFoundError("no", name="torch")

    monkeypatch.setattr(doctor, "_embedded", broken)
    monkeypatch.setattr(doctor, "_torch", absent)
    monkeypatch.setattr(doctor, "_package", lambda name, use: use() if use else "imported")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "FAILED  embedded model: BackendError: the weights are gone" in out
    assert "absent  extra local: torch: torch is not installed" in out


def test_demo_runs_the_main_job_and_says_what_it_ran(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", str(tmp_path / "demo")]) == 0
    out = capsys.readouterr().out
    for command in ("rerank", "evaluate", "compare", "search"):
        assert f"$ shortlist {command} " in out
    assert "first stage" in out and "ceiling" in out
    assert (tmp_path / "demo" / "reranked.trec.manifest.json").exists()
    assert main(["demo", str(tmp_path / "demo")]) == 0, "a second time over the same folder"


def test_demo_does_not_write_into_a_folder_of_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    assert main(["demo", str(tmp_path)]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
