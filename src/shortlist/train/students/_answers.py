"""The inverse of readouts: what a model that knows the targets would write, as the method's prompt asks for it.

Lists name passages as the template does (``mention``, ``joint``): ListT5 writes ``3 1 2``, LiT5 ``[3] > [1]``. Every
answer written here is read back by the method's own readout without a repair. It does not know models or tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ... import load
from ...backends.fake import Oracle
from ...core.errors import ConfigError
from ...core.protocols import Readout
from ...core.types import MISSING
from ...drive import Scheduled
from ...pipeline import Head, Then
from ...prompts import Template
from ...prompts.alphabet import identifiers_of
from ...prompts.slots import fill
from ...readouts import JsonScores, Permutation, Pick, Rating, TaggedAnswer, YesNo
from ...readouts.results import best_first


def parts_of(method: str, params: Mapping[str, Any]) -> tuple[Template, Readout]:
    """The template and the readout of a method of the registry; of a cascade those of its last stage.

    Raises ConfigError for a method that asks no language model.
    """
    stage: Any = load(method, backend=Oracle(), **params)
    while isinstance(stage, (Then, Head)):
        stage = stage.stages[-1] if isinstance(stage, Then) else stage.stage
    scorer: Any = stage.scorer if isinstance(stage, Scheduled) else None
    if not hasattr(scorer, "readout") or not hasattr(scorer, "prompt"):
        raise ConfigError(f"{method} asks no language model for an answer; there is no text to learn")
    return scorer.prompt.template, scorer.readout


def written(template: Template, readout: Readout, targets: Sequence[float]) -> str:
    """The answer about documents with these targets, in the order in which they are shown; grades must be grades."""
    inner = readout.inner if isinstance(readout, TaggedAnswer) else readout
    if isinstance(inner, (Permutation, Pick)):
        text = _named(template, inner, targets)
        return f"<{readout.tag}>{text}</{readout.tag}>" if isinstance(readout, TaggedAnswer) else text
    if isinstance(inner, (JsonScores, Rating)):
        return readout.write(tuple(targets)).text
    if isinstance(inner, YesNo):
        return inner.yes if targets[0] > 0 else inner.no
    raise ConfigError(f"nobody writes what {type(inner).__name__} reads; train on recorded answers instead")


def known(targets: Sequence[float]) -> list[float]:
    """The targets, with one below all others for documents that have none (MISSING).

    >>> known([2.0, MISSING])
    [2.0, 1.0]
    """
    floor = min((t for t in targets if t != MISSING), default=0.0) - 1
    return [floor if t == MISSING else t for t in targets]


def graded(readout: Readout, targets: Sequence[float]) -> list[float]:
    """Targets stretched over the scale of a readout of grades and rounded to whole numbers; for others as they are.

    Where all are equal, what is above 0 gets the best grade and the rest the lowest.

    >>> graded(JsonScores(), [1.0, 3.0, 2.0])
    [0.0, 10.0, 5.0]
    """
    inner = readout.inner if isinstance(readout, TaggedAnswer) else readout
    if not isinstance(inner, (JsonScores, Rating)):
        return list(targets)
    least, most = min(targets), max(targets)
    if least == most:
        return [inner.high if target > 0 else inner.low for target in targets]
    size = (inner.high - inner.low) / (most - least)
    return [float(round(inner.low + (target - least) * size)) for target in targets]


def _named(template: Template, readout: Permutation | Pick, scores: Sequence[float]) -> str:
    order = best_first(scores)
    if isinstance(readout, Pick):
        order = order[: readout.m]
    elif readout.reverse:
        order = order[::-1]
    shown = identifiers_of(template.identifiers, len(scores))
    return template.joint.join(fill(template.mention, {"id": shown[i]}) for i in order)
