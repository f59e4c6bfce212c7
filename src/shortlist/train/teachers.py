"""Teachers: whatever turns rankings into rankings with scores to learn from.

Every reranker of the registry is one, and so is a cascade. Here are those that are not: a file of scores, judgements,
and several teachers at once. ``teach`` writes what a teacher says as a training file while it works; it is the job
behind ``shortlist rerank``, so a killed one continues and nothing is asked twice.

Sources: score files and raw means of several teachers, Hofstätter et al. 2020, arXiv 2010.02666; means after
normalisation, so that teachers of different scales count alike. It does not know students.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from .. import fuse
from ..core.errors import ConfigError, InputError
from ..core.types import MISSING, Ranking, Scale
from ..formats import read
from ..formats.features import grade_of
from ..formats.lines import Source, head_text
from ..formats.run import iter_run
from ..jobs import RerankReport, file_digest, rerank_file
from ..jobs.output import holds_texts, writer_for
from ..jobs.rerank import Progress
from ..pipeline import Stage
from .answers import Answers, Tally
from .consistency import SelfConsistent

Table = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class FromFile(Stage):
    """Scores from a file: a run, rankings as JSONL, or lines ``pos_score neg_score query_id pos_id neg_id`` of the
    Margin-MSE authors. A document that the file does not score has no score and comes last; a query that it does not
    have is ``unscored``."""

    path: str | Path

    @cached_property
    def digest(self) -> str:
        """The file's content: what cached results depend on."""
        return file_digest(self.path)

    @cached_property
    def table(self) -> Table:
        """query id -> document id -> score."""
        return read_scores(self.path)

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        return [_scored(r, self.table.get(r.query.id, {}), f"{self.path} does not score it").top(k) for r in rankings]


@dataclass(frozen=True)
class FromGrades(Stage):
    """The judgements as scores; what is unjudged has none. A query without judgements is ``unscored``."""

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        done = []
        for ranking in rankings:
            known = {c.id: grade for c in ranking.candidates if (grade := grade_of(c)) is not None}
            done.append(_scored(ranking, known, "none of its documents is judged").top(k))
        return done


@dataclass(frozen=True)
class Ensemble(Stage):
    """The mean of several teachers, each normalised over the list; weights are scaled to a sum of 1.

    normalise: as in ``fuse`` (``none`` is for teachers of one training recipe). A document that one of them does not
    score gets that teacher's lowest.
    """

    teachers: tuple[Stage, ...]
    normalise: fuse.Normalisation = "z"
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.teachers or (self.weights is not None and len(self.weights) != len(self.teachers)):
            raise ConfigError(f"{len(self.teachers)} teachers, weights {self.weights}: expected a teacher, one each")

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        weights = self.weights or (1.0,) * len(self.teachers)
        shares = [weight / sum(weights) for weight in weights]
        said = [teacher.apply(rankings) for teacher in self.teachers]
        return [fuse.interpolate(one, shares, normalise=self.normalise).top(k) for one in zip(*said, strict=True)]


def teach(
    rankings: Iterable[Ranking],
    teacher: Stage,
    output: Path,
    *,
    inputs: Mapping[str, Path | str] | None = None,
    depth: int | None = None,
    batch: int = 16,
    restart: bool = False,
    answers: Answers | None = None,
    progress: Progress = lambda done: None,
) -> RerankReport:
    """Write the rankings with the teacher's scores to ``output`` (.jsonl), with a manifest beside it.

    answers: write what it answered instead, one sample per answer (see ``Answers``). The manifest says what became of
    answers, and of queries that a ``SelfConsistent`` teacher dropped.

    Raises ConfigError for another name; else as ``rerank_file``.
    """
    if not holds_texts(output):
        raise ConfigError(f"{output}: a training file holds texts; give it a name that ends in .jsonl")
    consistent = isinstance(teacher, SelfConsistent)
    if answers is not None and isinstance(teacher, SelfConsistent) and teacher.keep == "mean":
        raise ConfigError("keep='mean' is an order that nobody answered; keep='closest' has answers")
    tally, write = Tally(answers), writer_for(output)
    return rerank_file(
        rankings, teacher, output, writer=lambda taught, path: write(tally.through(taught), path), depth=depth,
        batch=batch, texts=True, trace=consistent or answers is not None, inputs=inputs, facts=tally.facts,
        restart=restart, progress=progress,
    )  # fmt: skip


def read_scores(path: str | Path) -> dict[str, dict[str, float]]:
    """query id -> document id -> score, of any file that ``FromFile`` takes. Raises InputError when none is there."""
    source = Source(path)
    head = head_text(source)
    table: dict[str, dict[str, float]] = {}
    if head.lstrip().startswith(("{", "[")):
        for ranking in read(source):
            table.setdefault(ranking.query.id, {}).update(
                {c.id: c.score for c in ranking.candidates if c.score is not None}
            )
    elif _is_triples(head):
        with source.open() as lines:
            for line in lines:
                good, bad, query, first, second = line.decode("utf-8").rstrip("\r\n").split("\t")
                table.setdefault(query, {}).update({first: float(good), second: float(bad)})
    else:
        for query_id, doc_id, score, rank, _ in iter_run(source):
            table.setdefault(query_id, {})[doc_id] = score if score is not None else -float(rank or 0)
    if not table:
        raise InputError(f"{path}: no scores in it")
    return table


def _is_triples(head: str) -> bool:
    cells = head.partition("\n")[0].split("\t")
    try:
        return len(cells) == 5 and float(cells[0]) == float(cells[0]) and float(cells[1]) == float(cells[1])
    except ValueError:
        return False


def _scored(ranking: Ranking, known: Mapping[str, float], why_not: str) -> Ranking:
    scores = [known.get(doc_id, MISSING) for doc_id in ranking.ids]
    if all(score == MISSING for score in scores):
        return replace(ranking, status="unscored", reason=why_not)
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    return ranking.reorder(order, scores, scale=Scale.UNKNOWN)
