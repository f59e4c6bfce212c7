"""What a first and a repeated `shortlist search` over 1,000 passages cost, in CPU seconds and on the clock.

    python benchmarks/search_latency.py          # writes benchmarks/results/search_latency.json and .md

1,000 passages of MS MARCO (SHORTLIST_DATA, default ../shared/data), once as one JSONL file and once as 1,000 text
files in a folder. CPU seconds are user + system time of the whole process and its children, all threads added, so
they do not depend on what else the machine does. "Work after start-up" is what a process that is running already
spends on one more query.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SHORTLIST_DATA", ROOT.parent / "shared" / "data")) / "trecdl-passages"
FIRST_LIMIT, REPEATED_LIMIT = 60.0, 0.3
Row = dict[str, Any]

IN_PROCESS = """
import json, sys, time
from shortlist.core.types import Query
from shortlist.retrieve._search import Searcher
path, queries = sys.argv[1], json.loads(sys.argv[2])
out = {"import": time.process_time()}
searcher = Searcher.open(path)
out["open"] = time.process_time() - out["import"]
def cost(text):
    wall, cpu = time.perf_counter(), time.process_time()
    found = searcher.search(Query("q", text))
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, **found.seconds}
for text in queries: cost(text)
out["repeated"] = [cost(text) for text in queries]
start = time.process_time()
Searcher.open(path, reranker=None)
out["look_again"] = time.process_time() - start
print(json.dumps(out))
"""


def command(path: Path, query: str, *options: str) -> Row:
    """One run of the command: CPU and wall seconds of the process, and what it reports."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run = [sys.executable, "-m", "shortlist", "search", str(path), query, "--json", *options]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": wall, "seconds": json.loads(out)["seconds"], "results": len(json.loads(out)["results"])}


def measure(path: Path, queries: list[str]) -> Row:
    row: Row = {"first": command(path, queries[0])}
    row["same_again"] = [command(path, queries[0]) for _ in range(3)]
    row["other_queries"] = [command(path, q) for q in queries[1:4]]
    row["first_stage_only"] = [command(path, q, "--no-rerank") for q in queries[:3]]
    out = subprocess.run(
        [sys.executable, "-c", IN_PROCESS, str(path), json.dumps(queries[:10])],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    row["in_process"] = json.loads(out)
    return row


def prepare(root: Path, count: int) -> dict[str, Path]:
    """The passages as one file and as many."""
    with (DATA / "corpus.jsonl").open(encoding="utf-8") as stream:
        lines = [next(stream) for _ in range(count)]
    single, many = root / "single" / "corpus.jsonl", root / "many"
    single.parent.mkdir()
    many.mkdir()
    single.write_text("".join(lines), encoding="utf-8")
    for number, line in enumerate(lines):
        (many / f"{number:04d}.txt").write_text(json.loads(line)["text"], encoding="utf-8")
    return {"one JSONL file": single, "a folder of text files": many}


def table(results: dict[str, Row], count: int) -> str:
    out = [
        f"# `shortlist search` over {count:,} passages", "",
        f"`python benchmarks/search_latency.py` on {os.cpu_count()} cores ({platform.machine()}), depth 100, default",
        "reranker.",
        "CPU seconds are all threads' user + system time.", "",
        "| | " + " | ".join(results) + " |", "|---|" + "---|" * len(results),
    ]  # fmt: skip
    rows = {
        f"first query, index included: CPU (wall) seconds, limit {FIRST_LIMIT:.0f}": lambda r: _both(r["first"]),
        "the same query again, whole process": lambda r: _both(_median(r["same_again"])),
        "another query, whole process": lambda r: _both(_median(r["other_queries"])),
        "another query, first stage only, whole process": lambda r: _both(_median(r["first_stage_only"])),
        f"work of a repeated query after start-up: CPU (wall), limit {REPEATED_LIMIT}": lambda r: _both(
            _median(r["in_process"]["repeated"])
        ),
        "looking for changed files and opening the index: CPU": lambda r: f"{r['in_process']['look_again']:.3f}",
    }
    out += [f"| {name} | " + " | ".join(cell(r) for r in results.values()) + " |" for name, cell in rows.items()]
    return "\n".join(out) + "\n"


def _median(rows: list[Row]) -> Row:
    return {key: median(r[key] for r in rows) for key in ("cpu", "wall")}


def _both(row: Row) -> str:
    return f"{row['cpu']:.3f} ({row['wall']:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passages", type=int, default=1000)
    count = parser.parse_args().passages
    queries = [json.loads(line)["text"] for line in (DATA / "queries.jsonl").open(encoding="utf-8")]
    with tempfile.TemporaryDirectory() as folder:
        results = {name: measure(path, queries) for name, path in prepare(Path(folder), count).items()}
    report = table(results, count)
    print(report)
    target = ROOT / "benchmarks" / "results"
    target.mkdir(parents=True, exist_ok=True)
    (target / "search_latency.json").write_text(json.dumps(results, indent=1) + "\n")
    (target / "search_latency.md").write_text(report)
    slow = [
        name for name, r in results.items()
        if r["first"]["cpu"] > FIRST_LIMIT or _median(r["in_process"]["repeated"])["cpu"] > REPEATED_LIMIT
    ]  # fmt: skip
    sys.exit(f"over the limit: {', '.join(slow)}" if slow else 0)


if __name__ == "__main__":
    main()
