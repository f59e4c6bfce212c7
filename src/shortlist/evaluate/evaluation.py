"""evaluate: one run against judgements, with the first stage and the ceiling beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

from ..formats.lines import STDIN, Bad
from ..measures import DEFAULT_MEASURES, Measure, parse_all
from .judgements import Judgements, QrelsLike, judgements
from .result import Evaluation
from .runs import RunLike, first_rankings, hold, tally_run

FIRST_STAGE = "first stage"
Measures = str | Iterable[str | Measure]


def evaluate(
    run: RunLike,
    qrels: QrelsLike | Judgements,
    measures: Measures = DEFAULT_MEASURES,
    *,
    first_stage: RunLike | Evaluation | None = None,
    name: str = "",
    format: str | None = None,
    bad: Bad | None = None,
) -> Evaluation:
    """Evaluate one run, as trec_eval -c does, and say on which queries the figures rest.

    Files and dicts are ordered by score and, among equal 32-bit scores, by document id downwards; Rankings keep their
    order. Unjudged documents are not relevant. Queries that are missing, empty or ``unscored`` count as zero and are
    named in ``coverage``; queries without judgements are left out and named. Candidates are taken as given: nothing is
    added to them. Without ``first_stage``, Rankings that still hold all their first ranks give it themselves.

    format: of run files, where it cannot be guessed. bad: what to do with malformed lines (default: raise).
    Raises ConfigError for a measure that cannot be read, MissingExtra for one that needs ir-measures, InputError and
    FormatError for what is wrong in the data.

    >>> evaluate({"q": {"d1": 2.0, "d2": 1.0}}, {"q": {"d2": 1}}, "RR nDCG@10").means
    {'RR': 0.5, 'nDCG@10': 0.6309297535714575}
    """
    judged, wanted = judgements(qrels, bad=bad), parse_all(measures)
    held = hold(run, bad, format)
    if isinstance(first_stage, Evaluation):
        before: Evaluation | None = first_stage
    else:
        first = first_rankings(held) if first_stage is None else hold(first_stage, bad, format)
        before = None if first is None else tally_run(first, judged, wanted, FIRST_STAGE, bad).evaluation()
    return tally_run(held, judged, wanted, name or run_name(run), bad).evaluation(before)


def evaluate_runs(
    runs: Mapping[str, RunLike],
    qrels: QrelsLike | Judgements,
    measures: Measures = DEFAULT_MEASURES,
    *,
    first_stage: RunLike | None = None,
    format: str | None = None,
    bad: Bad | None = None,
) -> list[Evaluation]:
    """``evaluate`` for several named runs; judgements and first stage are read once."""
    judged, wanted = judgements(qrels, bad=bad), parse_all(measures)
    before = None
    if first_stage is not None:
        before = evaluate(first_stage, judged, wanted, name=FIRST_STAGE, format=format, bad=bad)
    return [
        evaluate(run, judged, wanted, first_stage=before, name=name, format=format, bad=bad)
        for name, run in runs.items()
    ]


def run_name(run: RunLike) -> str:
    """A file's name without its endings; ``run`` for anything else.

    >>> run_name("runs/bm25.trec.gz")
    'bm25'
    """
    if not isinstance(run, (str, PathLike)):
        return "run"
    name = Path(run).name
    for ending in (".gz", ".xz", ".trec", ".run", ".txt", ".jsonl", ".json", ".tsv"):
        name = name.removesuffix(ending) or name
    return "stdin" if name == STDIN else name
