"""A weighted sum of what several stages say, of the parts of their scores where they tell them, and of the first stage.

Every column is min-max scaled over the candidates of a query, so that weights mean the same for all queries: linear
interpolation, as in ``fuse``. Where the weights come from is not known here; ``train.mixture`` learns them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .. import fuse
from ..core.errors import ConfigError
from ..core.types import MISSING, Ranking, Scale
from ..pipeline import Stage

FIRST_STAGE = "first-stage"
Columns = Mapping[str, Ranking]
"""One query: name of a column -> its documents as that column orders and scores them."""


@dataclass(frozen=True)
class Mixture(Stage):
    """``stages`` on the same candidates, and the sum of their columns.

    names: what the stages are called. weights: column -> weight from 0 up; a column is ``name`` (the stage's score),
    ``name.part`` (a part of it, see ``Call.parts``) or ``first-stage``. A stage without a weight is not run. A column
    that a query lacks (no first-stage scores, say) adds nothing to it; a query that one of several stages leaves
    unscored is ``partial``. Scale RELATIVE.
    """

    stages: tuple[Stage, ...]
    names: tuple[str, ...]
    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.stages) or len({*self.names, FIRST_STAGE}) <= len(self.names):
            raise ConfigError(f"{len(self.stages)} stages, names {self.names}: expected one each, none twice; give a "
                              "table of the second one a `name`")  # fmt: skip
        if any("." in name for name in self.names):
            raise ConfigError(f"names {self.names}: a dot is what parts are named with; leave it out")
        for column, weight in self.weights.items():
            if _owner(column) not in (*self.names, FIRST_STAGE):
                raise ConfigError(f"weight of {column!r}: no stage is called so; there are {', '.join(self.names)}")
            if not 0 <= weight < float("inf"):
                raise ConfigError(f"weight of {column!r} is {weight}: expected a finite number from 0 up")
        if not any(self.weights.values()):
            raise ConfigError(f"weights {dict(self.weights)}: expected one above 0")

    def rerank(self, rankings: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]:
        """New rankings, same order of queries. Raises ConfigError for a weight of a part that its stage does not
        tell."""
        wanted = {_owner(column) for column, weight in self.weights.items() if weight}
        used = [(name, stage) for name, stage in zip(self.names, self.stages, strict=True) if name in wanted]
        said = columns(rankings, [name for name, _ in used], [stage for _, stage in used])
        return [mixed(ranking, one, self.weights).top(k) for ranking, one in zip(rankings, said, strict=True)]


def columns(rankings: Sequence[Ranking], names: Sequence[str], stages: Sequence[Stage]) -> Sequence[Columns]:
    """What the stages say about the candidates of each ranking, and what the first stage said, if it has scores."""
    found: list[dict[str, Ranking]] = [{} for _ in rankings]
    for name, stage in zip(names, stages, strict=True):
        for own, before, ranking in zip(found, rankings, stage.apply(rankings), strict=True):
            own[name] = _heard(ranking)
            own |= {f"{name}.{part}": _by(ranking, scores) for part, scores in _parts(before, ranking).items()}
    for own, ranking in zip(found, rankings, strict=True):
        first = {c.id: c.score if c.first_score is None else c.first_score for c in ranking.candidates}
        known = {i: score for i, score in first.items() if score is not None}
        if known and len(known) == len(first):
            own[FIRST_STAGE] = _by(ranking, known)
    return found


def mixed(ranking: Ranking, one: Columns, weights: Mapping[str, float]) -> Ranking:
    """The columns of one query as one ranking; ``ranking`` as it came, unscored, where none of them has a weight. Ties
    keep the order of the first column.

    Raises ConfigError when a stage that scored the query does not tell a part that has a weight.
    """
    for column, weight in weights.items():
        owner = one.get(_owner(column))
        if weight and column not in one and owner is not None and owner.status != "unscored" and owner.candidates:
            told = [name for name in one if name.startswith(f"{_owner(column)}.")]
            raise ConfigError(f"weight of {column!r}: its stage tells no such part; it tells {told or 'none'}")
    used = {name: weights[name] for name in one if weights.get(name)}
    if not used:
        return replace(ranking, status="unscored", reason="nothing that has a weight in the mixture scores it")
    return fuse.interpolate([one[name] for name in used], list(used.values()))


def _owner(column: str) -> str:
    return column.partition(".")[0]


def _heard(ranking: Ranking) -> Ranking:
    """Documents without a score are said to have none (MISSING), which counts as the lowest."""
    kept = tuple(replace(c, score=MISSING) if c.score is None else c for c in ranking.candidates)
    return replace(ranking, candidates=kept)


def _by(ranking: Ranking, scores: Mapping[str, float]) -> Ranking:
    values = [scores[i] for i in ranking.ids]
    order = sorted(range(len(values)), key=lambda i: -values[i])
    return _heard(ranking.reorder(order, values, scale=Scale.UNKNOWN))


def _parts(before: Ranking, ranking: Ranking) -> dict[str, dict[str, float]]:
    """part -> document -> value, when each document was scored in one call of the stage, which tells its parts."""
    calls = [call for call in ranking.trace[len(before.trace) :] if call.parts]
    shown = [doc_id for call in calls for doc_id in call.group]
    if not calls or sorted(shown) != sorted(ranking.ids) or len({frozenset(call.parts) for call in calls}) > 1:
        return {}
    return {
        part: {i: value for call in calls for i, value in zip(call.group, call.parts[part], strict=True)}
        for part in calls[0].parts
    }
