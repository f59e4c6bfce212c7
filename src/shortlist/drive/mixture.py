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
    that a query lacks for want of first-stage scores adds nothing; see ``mixed`` for stages that do not speak. Scale
    RELATIVE.
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

    def lightened(self) -> Mixture:
        """The same without the stages that have no weight, whose models nobody needs to load."""
        kept = [(n, s) for n, s in zip(self.names, self.stages, strict=True) if n in self._wanted]
        known = {n for n, _ in kept} | {FIRST_STAGE}
        weights = {column: weight for column, weight in self.weights.items() if _owner(column) in known}
        return Mixture(tuple(s for _, s in kept), tuple(n for n, _ in kept), weights)

    @property
    def _wanted(self) -> set[str]:
        return {_owner(column) for column, weight in self.weights.items() if weight}

    def rerank(self, rankings: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]:
        """New rankings, same order of queries; ``k`` keeps a prefix of each."""
        used = self.lightened()
        said = columns(rankings, used.names, used.stages)
        return [mixed(ranking, one, self.weights).top(k) for ranking, one in zip(rankings, said, strict=True)]


def columns(rankings: Sequence[Ranking], names: Sequence[str], stages: Sequence[Stage]) -> Sequence[Columns]:
    """What the stages say about the candidates of each ranking, and what the first stage said, if it has scores."""
    found: list[dict[str, Ranking]] = [{} for _ in rankings]
    for name, stage in zip(names, stages, strict=True):
        for own, before, ranking in zip(found, rankings, stage.apply(rankings), strict=True):
            own[name] = _heard(ranking)
            own |= {f"{name}.{part}": _by(ranking, scores) for part, scores in _parts(before, ranking).items()}
    for own, ranking in zip(found, rankings, strict=True):
        first = {c.id: c.came_with for c in ranking.candidates}
        known = {i: score for i, score in first.items() if score is not None}
        if known and len(known) == len(first):
            own[FIRST_STAGE] = _by(ranking, known)
    return found


def mixed(ranking: Ranking, one: Columns, weights: Mapping[str, float]) -> Ranking:
    """The columns of one query as one ranking. Ties keep the order of the first column that has a weight.

    What has a weight and does not speak (a stage that left the query unscored, a part that it does not tell) makes the
    result ``partial``; when nothing speaks it is ``ranking`` as it came, ``unscored``.
    """
    wanted = [column for column, weight in weights.items() if weight]
    used = {name: weights[name] for name in one if weights.get(name) and one[name].status != "unscored"}
    owners = dict.fromkeys(_owner(column) for column in wanted)
    silent = [one[name] for name in owners if name in one and one[name].status == "unscored"]
    if not used:
        why = "; ".join(f.reason for f in silent) or "nothing that has a weight in the mixture scores it"
        trace = (*ranking.trace, *(call for f in silent for call in f.trace[len(ranking.trace) :]))
        return replace(ranking, status="unscored", reason=why, trace=trace)
    # one without an opinion: its weight counts for nothing, its reason and its calls are kept
    done = fuse.interpolate([*(one[name] for name in used), *silent], [*used.values(), *(1.0 for _ in silent)])
    untold = [c for c in wanted if c not in one and c != FIRST_STAGE and one.get(_owner(c)) not in silent]
    if untold and ranking.candidates:
        reasons = [done.reason] if done.reason else []
        done = replace(done, status="partial", reason="; ".join([*reasons, f"parts not told: {', '.join(untold)}"]))
    return done


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
    calls = [call for call in ranking.trace[len(before.trace) :] if call.parts and ranking.status != "unscored"]
    shown = [doc_id for call in calls for doc_id in call.group]
    if not calls or sorted(shown) != sorted(ranking.ids) or len({frozenset(call.parts) for call in calls}) > 1:
        return {}
    return {
        part: {i: value for call in calls for i, value in zip(call.group, call.parts[part], strict=True)}
        for part in calls[0].parts
    }
