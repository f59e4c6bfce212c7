"""The table of methods, generated from the methods themselves: nobody can forget to update it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.protocols import Schedule
from ..core.registry import RERANKERS
from ..drive import Fallback, Mixture, Scheduled
from ..drive.simulate import cost
from ..pipeline import Head, Then
from ..scorers import Prompted
from .registered import as_registered

SEEDS = range(40)  # first stages that costs are the mean of
HEADINGS = ("method", "paradigm", "parts", "calls", "steps", "extra", "what it is", "source")


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method. calls and steps: for 100 candidates, simulated with a judge that is always right; None if unknown."""

    name: str
    paradigm: str
    parts: str
    calls: float | None
    steps: float | None
    extra: str
    summary: str
    source: str

    def cells(self) -> tuple[str, ...]:
        numbers = ["-" if v is None else f"{v:.0f}" for v in (self.calls, self.steps)]
        return (self.name, self.paradigm, self.parts, *numbers, self.extra or "-", self.summary, self.source)


def method_rows(n: int = 100) -> list[MethodRow]:
    """A row per registered method; third-party methods that cannot be built on a fake have no calls."""
    return [_row(name, n) for name in RERANKERS.names()]


def _row(name: str, n: int) -> MethodRow:
    try:
        info = RERANKERS.info(name)
        reranker = as_registered(info).build() if "backend" in info.parameters else None
    except Exception as error:  # noqa: BLE001 - an installed plugin is somebody else's code; the others are still listed
        return MethodRow(name, "", "", None, None, "", f"cannot be built: {type(error).__name__}: {error}", "")
    calls, steps = spent(reranker, n)
    return MethodRow(name, info.paradigm, parts_of(reranker), calls, steps, info.extra, info.summary, info.source)


def spent(reranker: object, n: int) -> tuple[float, float] | tuple[None, None]:
    """Calls and steps for ``n`` candidates; of a cascade or mixture all stages', of a fallback the first one's."""
    if isinstance(reranker, Fallback):
        return spent(reranker.stages[0], n)
    if isinstance(reranker, Head):
        return spent(reranker.stage, min(n, reranker.k))
    if isinstance(reranker, (Then, Mixture)):
        stages = [spent(stage, n) for stage in reranker.stages]
        known = [(calls, steps) for calls, steps in stages if calls is not None and steps is not None]
        return (sum(c for c, _ in known), sum(s for _, s in known)) if len(known) == len(stages) else (None, None)
    schedule = getattr(reranker, "schedule", None)
    if not isinstance(schedule, Schedule):
        return None, None
    taken = cost(schedule, n, seeds=SEEDS)
    requests, steps = per_group(reranker, taken.documents / taken.calls if taken.calls else 1)
    return taken.calls * requests, taken.steps * steps


def per_group(reranker: object, size: float) -> tuple[float, int]:
    """Requests that a method's scorer makes about one group of ``size``, and how many wait for each other.

    Both are 1 unless the scorer says otherwise by ``requests_for(n)`` and ``steps_per_round``.
    """
    scorer = getattr(reranker, "scorer", None)
    requests = getattr(scorer, "requests_for", None)
    return (1 if requests is None else requests(round(size))), getattr(scorer, "steps_per_round", 1)


def parts_of(reranker: object) -> str:
    """``scorer x schedule``, with a language model's prompt and readout spelled out."""
    if isinstance(reranker, Then):
        return " >> ".join(map(parts_of, reranker.stages))
    if isinstance(reranker, Head):
        return f"top({reranker.k}, {parts_of(reranker.stage)})"
    if isinstance(reranker, Fallback):
        return ", else ".join(map(parts_of, reranker.stages))
    if isinstance(reranker, Mixture):
        return " + ".join(map(parts_of, reranker.stages))
    if not isinstance(reranker, Scheduled):
        return type(reranker).__name__ if reranker is not None else ""
    scorer = reranker.scorer
    left = [_prompt_name(scorer.prompt), _name(scorer.readout)] if isinstance(scorer, Prompted) else [_name(scorer)]
    return " x ".join([*left, _name(reranker.schedule)])


def _prompt_name(prompt: object) -> str:
    template = getattr(prompt, "template", prompt)
    return f"prompt {template.name}" if hasattr(template, "name") else _name(prompt)


def _name(part: object) -> str:
    return type(part).__name__


def markdown(rows: Sequence[MethodRow]) -> str:
    """The rows as a Markdown table, for the documentation."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"
