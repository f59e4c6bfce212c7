"""What every registered method costs and how well its schedule bears errors: the table behind "which one can I afford".

Calls, steps and quality come from ``drive.trial``; tokens are estimated from the method's own prompt and a length of
passages. It knows nothing of prices, seconds or how good a model is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..core.protocols import Schedule
from ..core.registry import RERANKERS
from ..core.types import Candidate, Document, Query
from ..drive import Fallback, Mixture, Scheduled
from ..drive.simulate import cost
from ..drive.trial import Trial, trial
from ..pipeline import Cutoff, Head, Then
from ..prompts import Template
from ..prompts.tokens import count_tokens, estimated_tokens
from ..schedules import Cascade
from .registered import as_registered
from .table import SEEDS, per_group

QUERY = Query("q", "how long can roasted coffee be kept in the freezer")  # ten words

HEADINGS = (
    "methods", "calls", "steps", "documents shown", "read", "written at most", "no errors", "new errors",
    "same errors", "likes the first",
)  # fmt: skip
_READ = frozenset({"labels", "yes_no", "logit", "likelihood", "head", "embedding", "attention"})
"""Answers that are read from a model's numbers, unless there is room for thoughts before them."""


@dataclass(frozen=True, slots=True)
class CostRow:
    """One method. read: thousands of prompt tokens per query; written: of answers, as many as the prompt allows; 0 for
    those that read logits, vectors or attention. tried is None for a method without a schedule of its own."""

    name: str
    paradigm: str
    schedule: str
    read: float
    written: float
    tried: Trial | None


def cost_rows(
    n: int = 100, *, passage_tokens: int = 100, seeds: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> list[CostRow]:
    """A row per registered method (or per named one); a third party's that cannot be built on a fake backend has no
    numbers."""
    seeds = SEEDS if seeds is None else seeds
    known: dict[str, Trial] = {}
    return [_row(name, n, passage_tokens, seeds, known) for name in names or RERANKERS.names()]


def schedule_of(reranker: object) -> Schedule | None:
    """The schedule by which a method asks: of a chain or a mixture its stages' one after the other, of a fallback the
    first one's.

    None when it has none. All stages are taken to have the same judge.
    """
    if isinstance(reranker, Fallback):
        return schedule_of(reranker.stages[0])
    if isinstance(reranker, Cutoff):
        return schedule_of(reranker.stage)
    if isinstance(reranker, (Then, Mixture)):
        first, *rest = reranker.stages
        whole = schedule_of(first)
        for stage in rest:
            then = schedule_of(stage.stage if isinstance(stage, Head) else stage)
            if whole is None or then is None:
                return None
            whole = Cascade(whole, then, keep=stage.k if isinstance(stage, Head) else 10**9)
        return whole
    found = getattr(reranker, "schedule", None)
    return found if isinstance(found, Schedule) else None


def _row(name: str, n: int, passage_tokens: int, seeds: Sequence[int], known: dict[str, Trial]) -> CostRow:
    info = RERANKERS.info(name)
    built = as_registered(info).build() if "backend" in info.parameters else None
    schedule = schedule_of(built)
    if schedule is None:
        return CostRow(name, info.paradigm, "", math.nan, math.nan, None)
    key = repr(schedule)
    if key not in known:
        known[key] = trial(schedule, n, seeds=seeds)
    tried = known[key]
    requests, steps = per_group(built, tried.documents / tried.calls if tried.calls else 1)
    if (requests, steps) != (1, 1):
        tried, key = replace(tried, calls=tried.calls * requests, steps=tried.steps * steps), f"{key} x {requests}"
    read, written = map(sum, zip(*(_tokens(*stage, passage_tokens) for stage in _stages(built, n)), strict=True))
    return CostRow(name, info.paradigm, key, read / 1000, written / 1000, tried)


def _stages(reranker: object, n: int) -> list[tuple[Scheduled, int]]:
    """The parts of a chain or a mixture that ask something, each with the number of documents that it is given."""
    if isinstance(reranker, Fallback):
        return _stages(reranker.stages[0], n)
    if isinstance(reranker, (Cutoff, Head)):
        return _stages(reranker.stage, min(n, reranker.k) if isinstance(reranker, Head) else n)
    if isinstance(reranker, (Then, Mixture)):
        return [part for stage in reranker.stages for part in _stages(stage, n)]
    return [(reranker, n)] if isinstance(reranker, Scheduled) else []


def _tokens(stage: Scheduled, n: int, passage_tokens: int) -> tuple[float, float]:
    """Tokens read and written: passages, and for every call what the prompt says around them."""
    spent = cost(stage.schedule, n, seeds=range(3))
    shown = spent.documents * passage_tokens
    prompt = getattr(stage.scorer, "prompt", None)
    template = getattr(prompt, "template", prompt)
    if not isinstance(template, Template) or not spent.calls:
        return shown, 0.0
    size = max(template.fewest, round(spent.documents / spent.calls))
    size = size if template.most is None else min(size, template.most)
    group = [Candidate(Document(f"d{i}", ""), 0.0) for i in range(size)]
    request = template.render_passages(QUERY, group, [""] * size)
    frame = sum(count_tokens(text, estimated_tokens) for text in request.texts)
    writes = template.answer not in _READ or request.max_tokens > 1
    return shown + spent.calls * frame, spent.calls * request.max_tokens if writes else 0.0


def grouped(rows: Sequence[CostRow]) -> list[list[CostRow]]:
    """Methods that ask in the same way, together; those that show the fewest documents first."""
    by_schedule: dict[str, list[CostRow]] = {}
    for row in rows:
        if row.tried is not None:
            by_schedule.setdefault(row.schedule, []).append(row)
    return sorted(by_schedule.values(), key=lambda same: (same[0].tried.documents, same[0].name))  # type: ignore[union-attr]


def cells(rows: Sequence[CostRow]) -> tuple[str, ...]:
    """The cells of one line: methods with the same schedule."""
    tried = rows[0].tried
    names = ", ".join(row.name for row in rows)
    if tried is None:
        return (names, *("-" for _ in HEADINGS[1:]))
    quality = (tried.exact, tried.independent, tried.stubborn, tried.position)
    return (
        names,
        _short(tried.calls),
        _short(tried.steps),
        _short(tried.documents),
        _span([row.read for row in rows]),
        _span([row.written for row in rows]),
        *(f"{value:.2f}" for value in quality),
    )


def markdown(rows: Sequence[CostRow]) -> str:
    """A line per schedule, as a Markdown table."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(cells(same) for same in grouped(rows))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _short(value: float) -> str:
    return f"{value:,.0f}"


def _span(values: Sequence[float]) -> str:
    low, high = (f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in (min(values), max(values)))
    return (low if low == high else f"{low} to {high}").replace("0.0", "0")
