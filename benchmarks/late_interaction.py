"""nDCG@10 of the shipped model reranking BM25's top 100, beside the first stage, its parts and the ceiling.

    SHORTLIST_DATA=... python benchmarks/late_interaction.py [SET ...] [--model FOLDER] [--precision int8] [--rounded]

On every set, one row. --model: another encoder than the shipped one; --name then keeps its results apart.

Texts are title + text; a document longer than the window (256 tokens) is split into passages with 32 tokens of overlap
and keeps its best cosine and its best MaxSim. Judged queries only; a query without candidates counts as zero. The
ceiling puts the relevant candidates first. Window, overlap and weights are the package's defaults; the form of the sum
and its 0.2 were chosen on six collections, of which dl19-bm25, noveleval, vaswani-npl and cranfield are also here.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import ir_measures
import numpy as np
from machine import describe_machine, write_results

from shortlist.backends.embedded import Encoder
from shortlist.backends.embedded.state_cache import pack, unpack
from shortlist.backends.similarity import combine, match

DATA = Path(os.environ.get("SHORTLIST_DATA", Path(__file__).parents[2] / "shared" / "data"))
SETS = (
    "dl19-bm25",
    "noveleval",
    "cranfield",
    "scifact",
    "trecdl-passages",
    "xquad-en",
    "xquad-de",
    "xquad-zh",
    "xquad-ar",
    "xquadr-en",
    "xquadr-de",
    "xquadr-ru",
    "entailmentbank",
    "hotpotqa-500",
    "vaswani-npl",
)
MEASURE = ir_measures.nDCG @ 10
Scores = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--model", default="all-MiniLM-L6-v2", help="a shipped name or a folder")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16", "int8"))
    parser.add_argument("--rounded", action="store_true", help="as the cache on disk keeps states: int8 rows")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--about", help="a line for the results: what --model is")
    parser.add_argument("--name", default="late_interaction", help="name of the result files")
    options = parser.parse_args()
    rows = []
    for name in options.sets:
        rows.append(evaluate(DATA / name, options))
        notes = {
            "model": options.about or Path(options.model).name,
            "measure": str(MEASURE),
            "machine": describe_machine(),
        }
        write_results(options.name, __doc__ or "", rows, notes)


def evaluate(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """One row of the table."""
    documents, queries, qrels, run = load(folder)
    encoder = Encoder(options.model, precision=options.precision, threads=options.threads)
    rounded = options.rounded
    began = time.process_time()
    wanted = sorted({document for query in qrels for document in run.get(query, ())})
    pieces = [(document, text) for document in wanted for text in encoder.split_document(documents[document])]
    states: dict[str, list[np.ndarray]] = {}
    for (document, _), state in zip(pieces, encoder.token_states([text for _, text in pieces]), strict=True):
        states.setdefault(document, []).append(unpack(pack(state), len(state)) if rounded else state)
    asked = [query for query in qrels if run.get(query)]
    query_states = encoder.token_states([queries[query] for query in asked], kind="query")
    matches = {
        query: best_matches(own, [states[document] for document in run[query]])
        for query, own in zip(asked, query_states, strict=True)
    }
    seconds = time.process_time() - began

    def value(score: Callable[[str], np.ndarray]) -> float:
        made = {query: dict(zip(run[query], map(float, score(query)), strict=True)) for query in asked}
        return round(ir_measures.calc_aggregate([MEASURE], qrels, made)[MEASURE], 4)

    first = {query: np.array(list(run[query].values())) for query in asked}
    return {
        "set": folder.name,
        "precision": f"{encoder.choice.runtime} {encoder.choice.precision}{', states int8' if rounded else ''}",
        "queries": len(qrels),
        "BM25": value(lambda query: first[query]),
        "cosine": value(lambda query: matches[query][:, 0]),
        "MaxSim": value(lambda query: matches[query][:, 1]),
        "cosine + MaxSim": value(lambda query: combine(matches[query])),
        "late-interaction": value(lambda query: combine(matches[query], first[query].tolist())),
        "ceiling": value(lambda query: np.array([qrels[query].get(document, 0) for document in run[query]])),
        "documents": len(wanted),
        "passages": len(pieces),
        "cut": encoder.stats.cut,
        "CPU s": round(seconds, 1),
    }


def best_matches(query: np.ndarray, documents: list[list[np.ndarray]]) -> np.ndarray:
    """The largest cosine and MaxSim over the passages of each document."""
    owner = np.repeat(np.arange(len(documents)), [len(passages) for passages in documents])
    best = np.full((len(documents), 3), -np.inf)
    np.maximum.at(best, owner, match(query, [state for passages in documents for state in passages]))
    return best


def load(folder: Path) -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, int]], dict[str, Scores]]:
    """Texts, queries, judgements and the first stage of a BEIR folder."""

    def rows(name: str) -> list[dict[str, str]]:
        return [json.loads(line) for line in (folder / name).read_text("utf-8").split("\n") if line.strip()]

    documents = {
        row["_id"]: f"{row['title']} {row['text']}" if row.get("title") else row["text"] for row in rows("corpus.jsonl")
    }
    queries = {row["_id"]: row["text"] for row in rows("queries.jsonl")}
    qrels: dict[str, dict[str, int]] = {}
    with (folder / "qrels" / "test.tsv").open(encoding="utf-8", newline="") as file:
        for query, document, grade in list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]:
            qrels.setdefault(query, {})[document] = int(grade)
    run: dict[str, Scores] = {}
    for line in (folder / "bm25.trec").read_text("utf-8").splitlines():
        query, _, document, _, score, _ = line.split()
        run.setdefault(query, {})[document] = float(score)
    return documents, queries, qrels, run


if __name__ == "__main__":
    main()
