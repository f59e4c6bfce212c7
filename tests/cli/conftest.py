"""A small BEIR folder, cut from the demo collection."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest

DEMO = Path(str(resources.files("shortlist") / "demo"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """40 passages and 6 queries in BEIR layout, with the judgements of these queries."""
    data = tmp_path / "data"
    (data / "qrels").mkdir(parents=True)
    corpus = (DEMO / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    queries = (DEMO / "queries.jsonl").read_text(encoding="utf-8").splitlines()[:6]
    kept = {json.loads(line)["_id"] for line in queries}
    (data / "corpus.jsonl").write_text("\n".join(corpus[::6]) + "\n", encoding="utf-8")
    (data / "queries.jsonl").write_text("\n".join(queries) + "\n", encoding="utf-8")
    header, *rows = (DEMO / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()
    rows = [row for row in rows if row.split("\t")[0] in kept]
    (data / "qrels" / "test.tsv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return data
