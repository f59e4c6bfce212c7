"""nDCG@10 on real collections against the figures that came with them (made with a similar, not the same, analysis)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shortlist import Document, Query
from shortlist.retrieve.bm25 import BM25

EXPECTED = [  # set, language, nDCG@10
    ("cranfield", "english", 0.480),
    ("noveleval", "english", 0.690),
    ("xquad-de", "german", 0.945),
    ("xquad-zh", "chinese", 0.965),
    ("xquad-ar", "arabic", 0.935),
    pytest.param("vaswani-npl", "english", 0.445, marks=pytest.mark.slow),
    pytest.param("trecdl-passages", "english", 0.729, marks=pytest.mark.slow),
    pytest.param("hotpotqa-500", "english", 0.772, marks=pytest.mark.slow),
    pytest.param("scifact", "english-porter", 0.679, marks=pytest.mark.slow),  # Anserini's published figure
]


@pytest.mark.parametrize(("name", "language", "expected"), EXPECTED)
def test_figures(shared_data: Path, name: str, language: str, expected: float) -> None:
    ir_measures = pytest.importorskip("ir_measures")
    folder = shared_data / name

    def lines(file: str) -> list[dict[str, str]]:
        with (folder / file).open(encoding="utf-8") as stream:
            return [json.loads(line) for line in stream]

    documents = [Document(r["_id"], r["text"], r.get("title") or None) for r in lines("corpus.jsonl")]
    rankings = BM25(documents=documents, language=language).retrieve(
        [Query(r["_id"], r["text"]) for r in lines("queries.jsonl")], k=100
    )
    run = [ir_measures.ScoredDoc(r.query.id, c.id, -float(n)) for r in rankings for n, c in enumerate(r.candidates)]
    rows = [line.split("\t") for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]]
    qrels = [ir_measures.Qrel(query, doc, int(grade)) for query, doc, grade in rows]
    measure = ir_measures.nDCG @ 10
    assert ir_measures.calc_aggregate([measure], qrels, run)[measure] == pytest.approx(expected, abs=0.005)
