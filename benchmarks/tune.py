"""What weights learned from a collection's own judged queries gain over the default reranker, and from how many.

    SHORTLIST_DATA=... python benchmarks/tune.py [SET ...] [--strength 3]

nDCG@10 of late interaction alone, and of the mixture of it, its parts and the first stage, where every query is ranked
by weights that were learned without it (20 folds; 95 % bootstrap interval of the difference). "from N": the mean
difference on the other queries when N are learned from, three draws. "others' weights": the difference with weights
that were learned on all the other collections together. CPU s: of learning and ranking in all folds, the
encoding apart. The columns and the strength of the penalty were chosen on these collections, halves of their queries
against the other halves: figures for a new one may be a little lower.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Mapping, Sequence
from statistics import fmean

from late_interaction import DATA
from machine import describe_machine, write_results

from shortlist import load
from shortlist.drive.mixture import columns, mixed
from shortlist.evaluate import compare, evaluate
from shortlist.formats.graded import Grades, with_grades
from shortlist.train.gate import held_out_folder
from shortlist.train.mixture import STRENGTH, Judged, cross_fitted, fit

SETS = (
    "dl19-bm25", "noveleval", "cranfield", "scifact", "trecdl-passages", "entailmentbank", "hotpotqa-500", "vaswani-npl"
)  # fmt: skip
COUNTS = (25, 50, 100)
BASE, MEASURE = "late-interaction", "nDCG@10"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--strength", type=float, default=STRENGTH)
    options = parser.parse_args()
    sets = {name: asked(name) for name in options.sets}
    rows: list[dict[str, object]] = []
    for name, (judged, grades) in sets.items():
        others = [one for other, (queries, _) in sets.items() if other != name for one in queries]
        rows.append({"set": name, **row(judged, grades, others, options.strength)})
        notes = {"measure": MEASURE, "strength": options.strength, "machine": describe_machine()}
        write_results("tune", __doc__ or "", rows, notes)


def asked(name: str) -> tuple[list[Judged], Grades]:
    """The queries of a collection with what late interaction says of them, and the judgements."""
    held = held_out_folder(DATA / name)
    rankings = list(with_grades(held.rankings, held.grades))
    said = columns(rankings, [BASE], [load(BASE, threads=1)])
    return list(map(Judged, rankings, said)), held.grades


def row(judged: Sequence[Judged], grades: Grades, others: Sequence[Judged], strength: float) -> dict[str, object]:
    """One collection."""
    began = time.process_time()
    after = cross_fitted(judged, strength=strength)
    seconds = time.process_time() - began
    before = [one.columns[BASE] for one in judged]
    found = compare({"before": before, "after": after}, grades, MEASURE).rows[0]
    weights = fit(judged, strength=strength).weights
    return {
        "queries": found.wins + found.ties + found.losses,
        "late interaction": round(found.baseline_mean, 4),
        "tuned": round(found.mean, 4),
        "difference": f"{found.difference:+.4f}",
        "interval": f"{found.low:+.4f}..{found.high:+.4f}",
        "win / tie / loss": f"{found.wins} / {found.ties} / {found.losses}",
        **{f"from {count}": gain(judged, grades, count, strength) for count in COUNTS},
        "others' weights": f"{gained(judged, grades, fit(others, strength=strength).weights):+.4f}" if others else "",
        "CPU s": round(seconds, 1),
        "weights": ", ".join(f"{column.rpartition('.')[2]} {weight:g}" for column, weight in weights.items() if weight),
    }


def gain(judged: Sequence[Judged], grades: Grades, count: int, strength: float) -> str:
    """The mean difference on the queries that were not learned from; nothing where they would be fewer than learned."""
    if len(judged) < 2 * count:
        return ""
    gains = []
    for seed in range(3):
        drawn = random.Random(seed).sample(range(len(judged)), len(judged))
        weights = fit([judged[i] for i in drawn[:count]], strength=strength).weights
        gains.append(gained([judged[i] for i in drawn[count:]], grades, weights))
    return f"{fmean(gains):+.4f}"


def gained(judged: Sequence[Judged], grades: Grades, weights: Mapping[str, float]) -> float:
    """The mean difference that weights make."""
    own: Grades = {one.ranking.query.id: grades[one.ranking.query.id] for one in judged}
    runs = [mixed(one.ranking, one.columns, weights) for one in judged], [one.columns[BASE] for one in judged]
    after, before = (float(next(iter(evaluate(run, own, MEASURE).means.values()))) for run in runs)
    return after - before


if __name__ == "__main__":
    main()
