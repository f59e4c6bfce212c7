"""Any methods on the same candidates, and the weighted sum of what they say; weights learned by `shortlist tune`.

Source: Metzler and Croft 2007, Information Retrieval 10 (linear combinations of features, learned from judgements).

Each score, each part of a score that a method tells (late interaction: cosine, maxsim, reverse-maxsim, feedback) and
the first stage's score is a column, min-max scaled over the list; scores compare documents of one query only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..drive import Mixture
from ._stages import Written, built

paradigm = "mixture"

CHECK = {"stages": ["yes-no", "monot5"], "weights": {"yes-no": 1.0, "monot5": 0.5}}

FILE = "mixture.json"


def build(
    *,
    model: str | Path | None = None,
    stages: Sequence[Written] = (),
    weights: Mapping[str, float] | None = None,
    options: Mapping[str, Any] | None = None,
    backend: Any = None,
) -> Mixture:
    """model: a folder that `shortlist tune` wrote; it holds stages and weights. Without it they are given here.

    stages: names of methods, or tables with ``method`` and its parameters; two of one method are told apart by ``name``
    in their tables. weights: a stage's name, ``name.part`` or ``first-stage`` -> weight from 0 up; by default 1 for
    every stage. options: for the stages that ask a language model and name no model. backend: used instead of models.
    """
    if model is None and not stages:
        raise ConfigError(
            "a mixture needs model=FOLDER (--model), which `shortlist tune` writes, or stages and weights"
        )
    if model is not None:
        if stages or weights:
            raise ConfigError(f"model={str(model)!r} holds stages and weights; give them, or a folder, not both")
        stages, weights = read_mixture(Path(model))
    made = built(stages, model=None, options=options, backend=backend)
    if any(one.depth is not None for one in made):
        raise ConfigError("depth: a mixture gives every stage the whole list; use a cascade inside it")
    names = tuple(one.name for one in made)
    return Mixture(tuple(one.stage for one in made), names, weights or dict.fromkeys(names, 1.0)).lightened()


def read_mixture(folder: Path) -> tuple[list[Written], dict[str, float]]:
    """Stages and weights of a folder. Raises ConfigError when it holds no mixture, or a broken one."""
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        stages, weights = found["stages"], found["weights"]
        return list(stages), {str(name): float(weight) for name, weight in weights.items()}
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"{folder} is no folder with a {FILE}; `shortlist tune -o FOLDER` writes one") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f'{path}: expected {{"stages": [...], "weights": {{...}}}}, got {error!r}') from error
