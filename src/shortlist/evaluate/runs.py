"""A run in whatever it comes, through the right reader and into a Tally."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from os import PathLike

from ..core.errors import InputError
from ..core.types import Ranking
from ..formats.lines import STDIN, Bad, Source, head_text
from ..formats.reading import read
from ..measures import Measure
from .blocks import Irregular
from .judgements import Judgements
from .runfile import seen_lines
from .seen import seen_rankings, seen_scores
from .tally import Tally, tallied

RunLike = str | PathLike[str] | Mapping[str, Mapping[str, float]] | Iterable[Ranking]
"""A file in any format of rankings (compressed or not), query -> document -> score, or Rankings."""
Held = Source | Mapping[str, Mapping[str, float]] | list[Ranking]


def hold(run: RunLike, bad: Bad | None, format: str | None = None) -> Held:
    """A table of lines stays a file, which is read while it is evaluated; everything else is held in memory.

    format: of a file, by name; guessed when not given. Raises InputError for what is no run.
    """
    if isinstance(run, Mapping):
        return run
    if not isinstance(run, (str, PathLike)):
        rankings = list(run)
        strange = next((r for r in rankings if not isinstance(r, Ranking)), None)
        if strange is not None:
            raise InputError(f"a run must be Rankings, a dict of dicts of scores or a path; found {strange!r:.80}")
        return rankings
    source = Source(run)
    if format is not None or head_text(source).lstrip().startswith(("{", "[")):
        return list(read(source, format, grouped=False, bad=bad))
    return source


def tally_run(run: Held, judged: Judgements, measures: Sequence[Measure], name: str, bad: Bad | None) -> Tally:
    """Look up and count every query of the run."""
    keep_ids = not all(measure.ours for measure in measures)
    if isinstance(run, Mapping):
        return tallied(seen_scores(run, judged, keep_ids=keep_ids), judged, measures, name)
    if not isinstance(run, Source):
        return tallied(seen_rankings(run, judged, keep_ids=keep_ids), judged, measures, name)
    if run.path != STDIN:  # standard input cannot be read a second time should it turn out irregular
        try:
            with closing(run.open()) as stream:
                return tallied(seen_lines(stream, judged, keep_ids=keep_ids), judged, measures, name)
        except Irregular:
            pass
    rankings = read(run, grouped=False, bad=bad)
    return tallied(seen_rankings(rankings, judged, keep_ids=keep_ids), judged, measures, name)


def first_rankings(run: Held) -> list[Ranking] | None:
    """Reranked Rankings in their first-stage order.

    None when nothing was reranked, when candidates were cut on the way, and for files and dicts, which do not know.
    """
    if isinstance(run, (Source, Mapping)) or not any(c.first_rank is not None for r in run for c in r.candidates):
        return None
    first = []
    for ranking in run:
        ranks = [c.first_rank for c in ranking.candidates]
        if all(rank is None for rank in ranks):  # not reached by the reranker: still in first-stage order
            first.append(Ranking(ranking.query, ranking.candidates))
        elif sorted(-1 if rank is None else rank for rank in ranks) == list(range(len(ranks))):
            ordered = sorted(ranking.candidates, key=lambda c: c.first_rank or 0)
            first.append(Ranking(ranking.query, tuple(replace(c, score=c.first_score) for c in ordered)))
        else:
            return None
    return first
