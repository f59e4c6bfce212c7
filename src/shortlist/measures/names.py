"""Measure names as ir-measures writes them: ``nDCG@10``, ``AP(rel=2)@100``, ``nDCG(dcg='exp-log2')@10``, ``RBP(p=.8)``.

A name that is not in our table is kept as it is and left to ir-measures; whether that knows it shows when it is used.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..core.errors import ConfigError
from .graded import Graded
from .table import ALIASES, CHOICES, FORMULAS, Formula

DEFAULT_MEASURES = ("nDCG@10", "RR@10", "AP", "R@100", "P@5", "Judged@10")
FORM = "Name, Name@k or Name(parameter=value)@k, for example nDCG@10 or AP(rel=2)@100"


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure with its parameters. ``str`` gives the canonical name, parameters at their defaults left out.

    at: the number after ``@``. parameters: sorted (name, value) pairs that differ from the defaults.

    >>> str(parse("MAP(rel=1)@100"))
    'AP@100'
    """

    name: str
    at: float | None = None
    parameters: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        inside = ",".join(f"{key}={_written(value)}" for key, value in self.parameters)
        return self.name + (f"({inside})" if inside else "") + ("" if self.at is None else f"@{self.at}")

    @property
    def ours(self) -> bool:
        """True when it is computed here, False when ir-measures must."""
        return self.name in FORMULAS

    @property
    def summed(self) -> bool:
        """True when the figure for a run is the sum over queries (counts), False when it is the mean."""
        return self.ours and FORMULAS[self.name].summed

    def compute(self, graded: Graded) -> float:
        """The value for one query.

        >>> parse("P@2").compute(Graded(3, (0, 2), (1, 1), (1, 1)))
        0.5
        """
        formula = FORMULAS[self.name]
        arguments = {**formula.parameters, **dict(self.parameters)}
        if formula.cutoff != "none":
            arguments[formula.at] = self.at
        gains = arguments.pop("gains", None)
        if gains:
            graded = graded.mapped(dict(gains))
        if arguments.pop("judged_only", False):
            graded = graded.judged_only()
        return formula.compute(graded, **arguments)


def parse(text: str | Measure) -> Measure:
    """Read one name. Raises ConfigError when it is not in the form or gives a parameter that the measure lacks."""
    if isinstance(text, Measure):
        return text
    name, parameters, at = _dissect(text)
    if name in ALIASES:
        name, implied = ALIASES[name]
        parameters = {**implied, **parameters}
    if name not in FORMULAS:
        return Measure(name, at, tuple(sorted(parameters.items())))
    formula = FORMULAS[name]
    _check_at(text, formula, at)
    for key, value in parameters.items():
        _check_parameter(text, formula, key, value)
    told = {key: _frozen(value) for key, value in parameters.items() if value != formula.parameters[key]}
    return Measure(name, at, tuple(sorted(told.items())))


def parse_all(measures: str | Iterable[str | Measure]) -> tuple[Measure, ...]:
    """Read several names, from one string with blanks or commas between them or from an iterable; repeats are dropped.

    >>> [str(m) for m in parse_all("nDCG@10, RR@10 nDCG(dcg='exp-log2')@10")]
    ['nDCG@10', 'RR@10', "nDCG(dcg='exp-log2')@10"]
    """
    parsed = tuple(dict.fromkeys(map(parse, _split(measures) if isinstance(measures, str) else measures)))
    if not parsed:
        raise ConfigError(f"no measure was given; write one or more as {FORM}")
    return parsed


def _split(text: str) -> list[str]:
    parts, depth = [""], 0
    for character in text:
        depth += (character in "({") - (character in ")}")
        if depth == 0 and (character.isspace() or character == ","):
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part]


def _dissect(text: str) -> tuple[str, dict[str, Any], float | None]:
    complain = partial(ConfigError, f"measure {text!r} cannot be read; write {FORM}")
    try:
        node = ast.parse(text.strip(), mode="eval").body
        at = None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            at, node = ast.literal_eval(node.right), node.left
        parameters: dict[str, Any] = {}
        if isinstance(node, ast.Call) and not node.args and all(keyword.arg for keyword in node.keywords):
            parameters = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
            node = node.func
    except (SyntaxError, ValueError) as error:
        raise complain() from error
    if not isinstance(node, ast.Name) or not (at is None or _is_number(at)):
        raise complain()
    return node.id, parameters, at


def _check_at(text: str, formula: Formula, at: float | None) -> None:
    if at is None:
        if formula.cutoff == "required":
            raise ConfigError(f"measure {text!r} needs a {formula.at}: write it as {text}@10")
        return
    if formula.cutoff == "none":
        raise ConfigError(f"measure {text!r} takes no cutoff; write it without @{at}")
    if formula.at == "cutoff" and not (isinstance(at, int) and at > 0):
        raise ConfigError(f"measure {text!r}: the cutoff must be a whole number above 0, not {at}")
    if formula.at == "recall" and not 0 <= at <= 1:
        raise ConfigError(f"measure {text!r}: the recall must lie in [0, 1], not {at}")


def _check_parameter(text: str, formula: Formula, key: str, value: Any) -> None:
    if key not in formula.parameters:
        known = ", ".join(formula.parameters) or "none"
        raise ConfigError(f"measure {text!r} has no parameter {key!r}; it takes: {known}")
    if key in CHOICES and value not in CHOICES[key]:
        raise ConfigError(f"measure {text!r}: {key} must be one of {', '.join(CHOICES[key])}, not {value!r}")
    if key == "rel" and not (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        raise ConfigError(f"measure {text!r}: rel must be a whole number above 0, not {value!r}")
    if key == "p" and not (_is_number(value) and 0 < value < 1):
        raise ConfigError(f"measure {text!r}: p must lie between 0 and 1, not {value!r}")
    if key == "beta" and not (_is_number(value) and value > 0):
        raise ConfigError(f"measure {text!r}: beta must be above 0, not {value!r}")
    if key in ("judged_only", "relative") and not isinstance(value, bool):
        raise ConfigError(f"measure {text!r}: {key} must be True or False, not {value!r}")
    if key == "gains" and not (isinstance(value, dict) and all(map(_is_whole, (*value, *value.values())))):
        raise ConfigError(f"measure {text!r}: gains must map grades to gains, as in {{1:1, 2:5}}, not {value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):  # a grade that is its own gain says nothing
        return tuple(sorted((grade, gain) for grade, gain in value.items() if grade != gain))
    return value


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return "{" + ",".join(f"{key}:{gain}" for key, gain in value) + "}"
    return repr(value)
