"""Evaluating a large run file: ours, ir_measures and pytrec_eval, each in a process of its own, from the same files.

    python benchmarks/evaluate_speed.py [--lines 1000000] [--order sorted|shuffled] [--repeats 3]

Every tool reads the run and the judgements from disk and computes nDCG@10, AP, RR, R@100 and P@5 for every query; CPU
seconds (user and system) and the peak of resident memory are those of its process, imports included, which are also
given alone. The smallest of the repeats is reported; the means must agree to 1e-9. Writes results/evaluate_speed.*.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
MEASURES = ["nDCG@10", "AP", "RR", "R@100", "P@5"]
TREC_NAMES = {"nDCG@10": "ndcg_cut_10", "AP": "map", "RR": "recip_rank", "R@100": "recall_100", "P@5": "P_5"}
DEFAULT_LINES = 1_000_000
DEPTH = 1000
JUDGED = 60  # per query, about half of them retrieved


def write_inputs(folder: Path, lines: int, order: str) -> None:
    rng = random.Random(1)
    with (folder / "run.trec").open("w") as run, (folder / "qrels.txt").open("w") as qrels:
        for q in range(lines // DEPTH):
            docs = rng.sample(range(8_841_823), DEPTH + JUDGED)
            scores = sorted((round(rng.uniform(5, 40), 4) for _ in range(DEPTH)), reverse=True)
            rows = [f"{q} Q0 {doc} {r} {s} bm25\n" for r, (doc, s) in enumerate(zip(docs, scores, strict=False), 1)]
            if order == "shuffled":
                rng.shuffle(rows)
            run.writelines(rows)
            judged = rng.sample(docs[: DEPTH // 2], JUDGED // 2) + docs[DEPTH : DEPTH + JUDGED // 2]
            qrels.writelines(f"{q} 0 {doc} {rng.choice([0, 0, 1, 1, 2, 3])}\n" for doc in judged)


def shortlist(folder: Path) -> dict[str, float]:
    from shortlist.evaluate import evaluate

    return dict(evaluate(folder / "run.trec", folder / "qrels.txt", MEASURES).means)


def ir_measures(folder: Path) -> dict[str, float]:
    import ir_measures as irm

    wanted = [irm.nDCG @ 10, irm.AP, irm.RR, irm.R @ 100, irm.P @ 5]
    found = irm.calc_aggregate(
        wanted, irm.read_trec_qrels(str(folder / "qrels.txt")), irm.read_trec_run(str(folder / "run.trec"))
    )
    return {name: found[measure] for name, measure in zip(MEASURES, wanted, strict=True)}


def pytrec_eval(folder: Path) -> dict[str, float]:
    import pytrec_eval as pte

    with (folder / "qrels.txt").open() as lines:
        qrels = pte.parse_qrel(lines)
    with (folder / "run.trec").open() as lines:
        run = pte.parse_run(lines)
    found = pte.RelevanceEvaluator(qrels, set(TREC_NAMES.values())).evaluate(run)
    return {ours: sum(row[name] for row in found.values()) / len(qrels) for ours, name in TREC_NAMES.items()}


TOOLS = {"shortlist": shortlist, "ir_measures": ir_measures, "pytrec_eval": pytrec_eval}
IMPORTS = {"shortlist": "shortlist.evaluate", "ir_measures": "ir_measures, pytrec_eval", "pytrec_eval": "pytrec_eval"}


def measure(tool: str, folder: Path) -> dict[str, object]:
    """One run of one tool in a new process."""
    command = [sys.executable, __file__, "--child", tool, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def child(tool: str, folder: Path) -> None:
    means = TOOLS[tool](folder)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024, "means": means}))


def import_cost(tool: str) -> dict[str, float]:
    code = (
        f"import resource, {IMPORTS[tool]}; u = resource.getrusage(resource.RUSAGE_SELF); "
        "print(u.ru_utime + u.ru_stime, u.ru_maxrss / 1024)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return {"cpu": float(out[0]), "mb": float(out[1])}


def best_of(tool: str, folder: Path, repeats: int) -> dict[str, object]:
    found = [measure(tool, folder) for _ in range(repeats)]
    return {
        "cpu_seconds": round(min(float(f["cpu"]) for f in found), 2),
        "peak_mb": round(min(float(f["mb"]) for f in found), 1),
        "import": {k: round(v, 2) for k, v in import_cost(tool).items()},
        "means": found[0]["means"],
    }


def report(results: dict[str, object]) -> str:
    rows: dict[str, dict[str, object]] = results["tools"]  # type: ignore[assignment]
    own = rows["shortlist"]
    lines = [
        f"# Evaluating a run of {results['lines']:,} lines ({results['order']})",
        "",
        "| tool | CPU seconds | x ours | peak MB | x ours | imports alone: s, MB |",
        "|---|---|---|---|---|---|",
    ]
    for tool, row in rows.items():
        cpu, mb, alone = float(row["cpu_seconds"]), float(row["peak_mb"]), row["import"]
        lines.append(
            f"| {tool} {results['versions'][tool]} | {cpu:.2f} | {cpu / float(own['cpu_seconds']):.1f} | {mb:.0f} | "
            f"{mb / float(own['peak_mb']):.1f} | {alone['cpu']:.2f}, {alone['mb']:.0f} |"
        )
    return "\n".join([*lines, "", f"{results['note']}", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=DEFAULT_LINES)
    parser.add_argument("--order", choices=("sorted", "shuffled"), default="sorted", help="of a query's lines")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", choices=TOOLS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, args.lines, args.order)
        tools = {tool: best_of(tool, folder, args.repeats) for tool in TOOLS}
    own = tools["shortlist"]["means"]
    for tool, row in tools.items():
        apart = max(abs(own[m] - row["means"][m]) for m in MEASURES)
        if apart > 1e-9:
            raise SystemExit(f"{tool} differs from ours by {apart}: {row['means']} against {own}")
    results = {
        "lines": args.lines,
        "order": args.order,
        "repeats": args.repeats,
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "machine": platform.processor() or platform.machine(),
        "versions": {
            "shortlist": version("shortlist"),
            "ir_measures": version("ir-measures"),
            "pytrec_eval": version("pytrec-eval-terrier"),
        },
        "tools": tools,
        "note": f"All five means agree to 1e-9. Best of {args.repeats}; one process per tool, files to means.",
    }
    suffix = ("" if args.lines == DEFAULT_LINES else f"_{args.lines}") + ("" if args.order == "sorted" else "_shuffled")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"evaluate_speed{suffix}.json").write_text(json.dumps(results, indent=2) + "\n")
    (RESULTS / f"evaluate_speed{suffix}.md").write_text(report(results))
    print(report(results))


if __name__ == "__main__":
    main()
