"""``shortlist audit``: what it prints can be read without the source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shortlist.check import make_ranking
from shortlist.cli import main
from shortlist.cli.audit import COLUMNS, MEANS
from shortlist.formats.jsonl import write_jsonl


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    path = tmp_path / "requests.jsonl"
    write_jsonl([make_ranking(6, seed=i, query_id=f"q{i}", text=f"query {i}") for i in range(2)], path)
    return path


def test_every_column_that_is_shown_is_explained(requests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["audit", str(requests), "--with", "bi-encoder", "-k", "3"]
    assert main([*given, "--probe", "reversed"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "tau: agreement with the unchanged order" in said and "overlap@3: share of the first" in said
    assert "pull: whether documents follow" in said and "promotion: " not in said
    assert main([*given, "--json"]) == 0
    (first, *_) = json.loads(capsys.readouterr().out)["findings"]
    assert set(COLUMNS) == set(MEANS) == set(first) - {"probe", "trials", "unscored"}


def test_the_help_explains_the_columns(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["audit", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "Columns. tau: agreement" in said and "on top: share of trials" in said
