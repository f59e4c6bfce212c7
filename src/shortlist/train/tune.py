"""A mixture tuned to somebody's own judged queries: columns asked once, weights fitted, measured, and described.

Measured twice: on the queries themselves, each ranked by weights that were learned without it, and by the gate on
held-out sets where there are some. The folder holds ``mixture.json``, which the method ``mixture`` opens, a card, and
in ``training/`` the verdicts and the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, InputError
from ..core.types import Ranking
from ..drive.mixture import Mixture, columns
from ..evaluate import evaluate
from ..formats.atomic import atomic_text
from ..formats.graded import Grades
from ..jobs import manifest
from ..pipeline import Stage
from ..rerank.mixture import FILE
from ..rerank.mixture import build as mixture
from .card import named
from .gate import HeldOut, check_sets, gate
from .leaks import LeakReport, all_asked, without_leaks
from .mixture import STRENGTH, Fit, Judged, check, cross_fitted, fit
from .verdict import Verdict

BATCH = 16  # queries that the stages see at once
OWN = "these queries"


@dataclass(frozen=True, slots=True)
class Tuned:
    """own: on the queries that were learned from, each by weights learned without it. held: of the gate, or None."""

    fit: Fit
    own: Verdict
    held: Verdict | None
    leaks: LeakReport

    @property
    def accepted(self) -> bool:
        """What the gate says, where it was asked; else what the queries themselves say."""
        return (self.own if self.held is None else self.held).accepted


def tune(
    stages: Sequence[str | Mapping[str, Any]],
    rankings: Iterable[Ranking],
    judgements: Grades,
    output: Path,
    *,
    sets: Sequence[HeldOut] = (),
    measure: str = "nDCG@10",
    margin: float = 0.01,
    strength: float = STRENGTH,
    folds: int = 5,
    inputs: Mapping[str, Path | str] | None = None,
    licence: str = "",
    progress: Callable[[int], None] = lambda done: None,
) -> Tuned:
    """Learn weights for ``stages``, the first of which is the baseline, from ``rankings`` with grades on their
    documents.

    judgements: all of them, found or not, for the measure. progress: called with the queries that are done. Raises
    ConfigError when ``output`` holds a mixture, InputError when there is too little to learn from.
    """
    if (output / FILE).exists():
        raise ConfigError(f"{output} holds a mixture already; give another folder, or remove it")
    check(strength=strength, folds=folds)  # what is wrong is said before anything is asked
    evaluate({"q": {"d": 1.0}}, {"q": {"d": 1}}, measure)
    if sets:
        check_sets(sets)
    start = mixture(stages=_placed(stages))
    leaks = LeakReport()
    kept = without_leaks(rankings, {held.name: [r.query for r in held.rankings] for held in sets}, leaks)
    judged = list(_asked(start, kept, progress))
    if leaks.count and not judged:
        raise InputError(all_asked(leaks))
    found = fit(judged, strength=strength)
    done = replace(start, weights=found.weights)
    own = _on_themselves(start.names[0], judged, judgements, measure, margin, strength, folds)
    base = Mixture(start.stages[:1], start.names[:1], {start.names[0]: 1.0})
    held = gate(base, done, sets, measure=measure, margin=margin) if sets else None
    tuned = Tuned(found, own, None if held is None else replace(held, baseline=start.names[0]), leaks)
    _write(output, stages, tuned, done, inputs or {}, licence, strength, folds)
    return tuned


def _asked(start: Mixture, rankings: Iterable[Ranking], progress: Callable[[int], None]) -> Iterator[Judged]:
    """Every query with its columns; the stages are asked once."""
    source, count = iter(rankings), 0
    while batch := list(islice(source, BATCH)):
        yield from map(Judged, batch, columns(batch, start.names, start.stages))
        count += len(batch)
        progress(count)


@dataclass(frozen=True)
class _Known(Stage):
    """Results that are there already."""

    results: Mapping[str, Ranking]

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        return [self.results[ranking.query.id].top(k) for ranking in rankings]


def _on_themselves(
    base: str, judged: Sequence[Judged], judgements: Grades, measure: str, margin: float, strength: float, folds: int
) -> Verdict:
    """The gate on the queries that are learned from, by weights that do not know the query they rank."""
    asked = tuple(one.ranking for one in judged)
    before = _Known({one.ranking.query.id: one.columns[base] for one in judged})
    after = _Known({r.query.id: r for r in cross_fitted(judged, strength=strength, folds=folds)})
    own = {r.query.id: judgements[r.query.id] for r in asked if r.query.id in judgements}
    verdict = gate(before, after, [HeldOut(OWN, asked, own)], measure=measure, margin=margin)
    return replace(verdict, baseline=base)


def _placed(stages: Sequence[str | Mapping[str, Any]]) -> list[str | Mapping[str, Any]]:
    """The stages with folders of models written in full, so that the mixture can be opened from anywhere."""
    placed: list[str | Mapping[str, Any]] = []
    for stage in stages:
        model = stage.get("model") if isinstance(stage, Mapping) else None
        here = isinstance(model, str) and Path(model).is_dir()
        placed.append({**stage, "model": str(Path(str(model)).resolve())} if here else stage)  # type: ignore[dict-item]
    return placed


def _write(
    output: Path, stages: Sequence[Any], tuned: Tuned, done: Mixture, inputs: Mapping[str, Path | str], licence: str,
    strength: float, folds: int,
) -> None:  # fmt: skip
    verdicts = {"own": tuned.own.to_dict(), "held_out": None if tuned.held is None else tuned.held.to_dict()}
    facts = {
        "queries": tuned.fit.queries, "strength": strength, "folds": folds, "licence": licence,
        "cross_entropy": [tuned.fit.before, tuned.fit.loss], "left_out": dict(tuned.leaks.found), "gate": verdicts,
    }  # fmt: skip
    record = manifest(done, inputs=inputs, **facts)
    own = [
        f"# These queries, each by weights learned from the others: {tuned.own.said}",
        "",
        *tuned.own.differences()[:-1],
    ]
    pages = ["\n".join(own) + "\n", *([] if tuned.held is None else [tuned.held.markdown()])]
    (output / "training").mkdir(parents=True, exist_ok=True)
    for name, text in {
        "training/manifest.json": _json(record),
        "training/gate.json": _json(verdicts),
        "training/gate.md": "\n".join(pages),
        "README.md": _card(output, tuned, done, record),
        FILE: _json({"stages": _placed(stages), "weights": dict(tuned.fit.weights)}),
    }.items():
        with atomic_text(output / name) as out:
            out.write(text)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


def _card(output: Path, tuned: Tuned, done: Mixture, record: Mapping[str, Any]) -> str:
    weights = [f"| {name} | {weight:g} |" for name, weight in tuned.fit.weights.items()]
    data = [f"- {named(str(row['path']))} (sha256 {row['sha256'][:16]})" for row in record["inputs"].values()]
    held = [] if tuned.held is None else ["", "On held-out sets:", "", *tuned.held.differences()]
    lines = [
        f"# {output.name}", "",
        f"A weighted sum of {', '.join(done.names)} and of their parts, tuned with `shortlist tune`: "
        f"{(tuned.own if tuned.held is None else tuned.held).said}. Nobody has read this page but the program that "
        "wrote it.", "",
        "## Use", "",
        "```python", "from shortlist import load", "", 'stage = load("mixture", model="FOLDER")', "```", "",
        "## Weights", "", "Each column is scaled to 0..1 over the candidates of a query.", "",
        "| column | weight |", "|---|---:|", *weights, "",
        "## Made of", "",
        f"{tuned.fit.queries} judged queries; licence: {record['licence'] or 'not stated'}.", "", *data, "",
        "## Measured", "",
        f"Against {tuned.own.baseline} alone, each query by weights learned from the others "
        f"({record['folds']} folds):", "", *tuned.own.differences()[:-1], *held, "",
        "## Limits", "",
        "- Weights fit the first stage, its depth and the kind of queries that they were learned from; tune again when "
        "one of these changes.",
        "- Scores compare documents of one query only.",
        "- Figures hold for the sets named above, and for no other.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
