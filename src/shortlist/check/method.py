"""One registered method in full: its parameters with defaults and meanings, its source, what it takes for a query.

Meanings come from the docstring of the method's ``build`` ("window, stride: of the list. times: ..."), and from
``SHARED`` for parameters that mean the same in every method.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.params import describe
from ..core.plain_types import hints_of
from ..core.registry import RERANKERS
from .costs import cost_rows
from .registered import as_registered
from .table import parts_of

SHARED = {
    "model": "an endpoint's address, a folder or a hub name (--model)",
    "backend": "used instead of a model; in Python only",
    "options": "of the model (--option NAME=VALUE): of its backend, and context, on_malformed, retries, cache, chunk",
    "prompt": "a template's name (see `shortlist prompt list`) or a TOML file",
    "window": "documents shown at once",
    "stride": "by how many documents the window moves on",
    "passes": "sweeps over the list",
    "yes": "the word for relevant",
    "no": "the word for not relevant",
    "k": "leading ranks that are settled",
    "size": "documents in a group",
    "times": "how often it is repeated, in other orders",
    "seed": "of everything that is drawn",
    "children": "a set shows one document more than this",
    "depth": "how many leading documents are taken",
    "high": "the best grade",
    "output": "what becomes the score",
    "sort": "how the winners of sets become an order",
    "mode": "which way of asking",
    "aggregate": "how the scores of a long document's passages become one",
    "runtime": "what computes the model",
    "precision": "of the computation; auto is int8 where the processor is fast at it",
    "threads": "of the processor; None is all that are sensible",
    "max_length": "tokens read at once; None is the model's own window",
    "adapter": "a LoRA folder or hub name on top of the model",
    "join": "whether the two texts are a pair for the tokenizer or one text",
    "append_eos": "whether an end token is put behind the text",
    "label": "which output is the score",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    """default: as plain data; ``required`` parameters have none. type: as annotated; choices: of a closed set."""

    name: str
    default: Any
    required: bool
    type: str
    choices: tuple[str, ...]
    meaning: str


@dataclass(frozen=True, slots=True)
class Method:
    """A method in full. calls, steps, documents, read, written: as in ``CostRow``; None where it cannot be simulated
    (a service, a plugin without a ``backend`` parameter)."""

    name: str
    summary: str
    about: str
    source: str
    paradigm: str
    parts: str
    extra: str
    parameters: tuple[Parameter, ...]
    calls: float | None = None
    steps: float | None = None
    documents: float | None = None
    read: float | None = None
    written: float | None = None


def method(name: str, n: int = 100, *, passage_tokens: int = 100) -> Method:
    """The method of that name, with its cost for ``n`` candidates. Raises UnknownName."""
    info, module = RERANKERS.info(name), RERANKERS.module(name)
    about = re.sub(r"^Source:.+?(?:\n\s*\n|\Z)", "", inspect.getdoc(module) or "", flags=re.M | re.S)
    about = about.partition("\n")[2].strip()
    built = as_registered(info).build() if "backend" in info.parameters else None
    cost: dict[str, Any] = {}
    if built is not None:
        (row,) = cost_rows(n, passage_tokens=passage_tokens, names=[info.name])
        if row.tried is not None:
            tried = row.tried
            cost = {"calls": tried.calls, "steps": tried.steps, "documents": tried.documents}
            cost |= {"read": row.read, "written": row.written}
    return Method(
        info.name, info.summary, about, info.source, info.paradigm, parts_of(built), info.extra,
        tuple(_parameters(module.build)), **cost,
    )  # fmt: skip


def _parameters(build: Any) -> Iterator[Parameter]:
    signature, hints = inspect.signature(build), hints_of(build)
    said = meanings(inspect.getdoc(build) or "", tuple(signature.parameters))
    for name, parameter in signature.parameters.items():
        required = parameter.default is parameter.empty
        annotated = "" if parameter.annotation is parameter.empty else str(parameter.annotation)
        closed = typing.get_origin(hints.get(name)) is typing.Literal
        choices = tuple(map(str, typing.get_args(hints[name]))) if closed else ()
        yield Parameter(
            name,
            None if required else describe(parameter.default),
            required,
            "str" if choices else annotated,
            choices,
            said.get(name) or SHARED.get(name, ""),
        )


def meanings(docstring: str, names: Sequence[str]) -> dict[str, str]:
    """What a docstring says of each parameter, in the form ``a, b: of these. c: that.``

    A meaning that only points to another module is left out.

    >>> meanings("model: see ``_x``. low, high: the scale. k: how\\nmany; 0 is none.", ("model", "low", "high", "k"))
    {'low': 'the scale', 'high': 'the scale', 'k': 'how many; 0 is none'}
    """
    text = " ".join(docstring.split())
    one = "|".join(map(re.escape, names)) or "(?!)"
    starts = list(re.finditer(rf"(?:^|(?<=[.;] ))((?:{one})(?:, (?:{one}))*): ", text))
    found: dict[str, str] = {}
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        meaning = text[start.end() : following.start() if following else len(text)].strip().rstrip(".;")
        meaning = meaning.partition("; see ``_")[0]
        if not re.match(r"see ``_\w+``", meaning):
            found.update(dict.fromkeys(start[1].split(", "), meaning.replace("``", "`")))
    return found
