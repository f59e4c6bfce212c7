"""What a tuned mixture leaves: ``mixture.json``, which the method ``mixture`` opens, a card, and in ``training/`` the
verdicts and the manifest. It does not know how the weights were found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..drive.mixture import Mixture
from ..formats.atomic import atomic_text
from ..jobs import manifest
from ..rerank.mixture import FILE
from .card import named
from .mixture import Fit
from .verdict import Verdict


@dataclass(frozen=True, slots=True)
class Tuned:
    """own: on the queries that were learned from, each by weights learned without it. held: of the gate, or None.
    left_out: why -> judged queries that were neither learned from nor measured. candidates: the most that a query
    had."""

    fit: Fit
    own: Verdict
    held: Verdict | None
    left_out: Mapping[str, int]
    candidates: int

    @property
    def accepted(self) -> bool:
        """What the gate says, where it was asked; else what the queries themselves say."""
        return (self.own if self.held is None else self.held).accepted


def placed(written: Any) -> Any:
    """What was written, with the places of models in full, so that the mixture can be opened from anywhere."""
    if isinstance(written, Mapping):
        table = {name: placed(value) for name, value in written.items()}
        model = table.get("model")
        if isinstance(model, (str, Path)) and Path(model).exists():
            table["model"] = str(Path(model).resolve())
        return table
    return [placed(one) for one in written] if isinstance(written, (list, tuple)) else written


def write_tuned(
    output: Path, stages: Sequence[Any], tuned: Tuned, done: Mixture, inputs: Mapping[str, Path | str], licence: str,
    strength: float, folds: int,
) -> None:  # fmt: skip
    """Write the folder. stages: as they were given. done: with the weights. inputs: name -> file, for the manifest."""
    verdicts = {"own": tuned.own.to_dict(), "held_out": None if tuned.held is None else tuned.held.to_dict()}
    facts = {
        "queries": tuned.fit.queries, "candidates": tuned.candidates, "strength": strength, "folds": folds,
        "licence": licence,
        "cross_entropy": [tuned.fit.before, tuned.fit.loss], "left_out": dict(tuned.left_out), "gate": verdicts,
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
        FILE: _json({"stages": placed(stages), "weights": dict(tuned.fit.weights)}),
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
        f"A weighted sum of {', '.join(done.names)}, the parts of their scores and the first stage, made by "
        "`shortlist tune`. Verdict: "
        f"{(tuned.own if tuned.held is None else tuned.held).said}. Nobody has read this page but the program that "
        "wrote it.", "",
        "## Use", "",
        "```python", "from shortlist import load", "", 'stage = load("mixture", model="FOLDER")', "```", "",
        "## Weights", "", "Each column is scaled to 0..1 over the candidates of a query.", "",
        "| column | weight |", "|---|---:|", *weights, "",
        "## Made of", "",
        f"{tuned.fit.queries} judged queries with up to {record['candidates']} candidates; strength of the penalty "
        f"{record['strength']:g}; licence: {record['licence'] or 'not stated'}.", "", *data,
        *(f"- left out: {count}, {why}" for why, count in tuned.left_out.items()), "",
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
