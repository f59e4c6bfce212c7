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


def test_one_method_with_its_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "setwise"]) == 0
    said = capsys.readouterr().out
    assert '--param sort=VALUE  (one of heap, bubble, insertion; default "heap")' in said
    assert "--param children=VALUE  (int; default 3)\n      a set shows one document more than this" in said
    assert "source: Zhuang et al. 2024, arXiv 2310.09497" in said and 'paper\'s "c = 3" is `children=2`' in said
    assert "needs: pip install '.[http]' or pip install '.[local]'" in said and "cost of 100 candidates" in said
    assert main(["methods", "late_interaction", "--json", "--candidates", "50"]) == 0
    found = json.loads(capsys.readouterr().out)
    parameters = {p["name"]: p for p in found["parameters"]}
    assert parameters["first_stage"] == {
        "name": "first_stage", "default": 0.2, "required": False, "type": "float", "choices": [],
        "meaning": "weight of the first stage's score",
    }  # fmt: skip
    assert parameters["aggregate"]["choices"] == ["max", "first", "mean"]
    assert (found["name"], found["calls"], found["documents"], found["extra"]) == ("late-interaction", 1, 50, "")
    assert main(["methods", "setwize"]) == 2
    assert "no reranker named 'setwize'; did you mean 'setwise'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", shortlist.available())
def test_every_parameter_of_every_method_has_a_meaning(name: str) -> None:
    from shortlist.check.method import _parameters
    from shortlist.core.registry import RERANKERS

    assert [p.name for p in _parameters(RERANKERS.module(name).build) if not p.meaning] == []


def test_an_option_that_does_not_exist_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    for given, says in ((["methods", "--markdwn"], "did you mean '--markdown'?"), (["doctor", "--colour"], "--colour")):
        with pytest.raises(SystemExit) as stopped:
            main(given)
        said = capsys.readouterr().err
        assert stopped.value.code == 2 and said.rstrip().endswith(says)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 240])
def test_the_table_of_costs_cuts_no_number(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    from shortlist.check import costs

    monkeypatch.setattr(costs, "SEEDS", range(1))
    monkeypatch.setattr(costs.RERANKERS.__class__, "names", lambda self: ["erank", "prp", "rank1"])
    monkeypatch.setattr("shortlist.cli.methods.console", lambda: Console(width=width))
    assert main(["methods", "--cost"]) == 0
    said = capsys.readouterr().out
    assert "\u2026" not in said and "1,890" in said and max(map(len, said.splitlines())) <= width
    hidden = said.rpartition("not shown here: ")[2].split(";")[0] if "not shown here" in said else ""
    assert all(heading in said for heading in ("calls", "steps", "shown", "read", "written", "anew", "first"))
    assert (hidden == "") == (width >= 120) and "calls" not in hidden
