"""What `evaluate` and `compare` share: judgements and runs from the arguments, and the notes below a table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..core.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from ..evaluate import Evaluation, Judgements
    from ..formats import Bad

SHOWN_IDS = 5
SHOWN_BAD = 5
PIPE_WIDTH = 240  # a table that goes to a file or a pipe is not folded
DEFAULT = "nDCG@10 RR@10 AP R@100 P@5 Judged@10"


def add_shared(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("runs", metavar="RUN", nargs="+", help="TREC run or JSONL of rankings, .gz too; - is standard input")
    add("--qrels", metavar="FILE", help="judgements: TREC, BEIR or JSONL")
    add("--data", metavar="FOLDER", help="BEIR folder, for its judgements")
    add("--split", default="test", metavar="NAME", help="of the judgements in the BEIR folder")
    add("--measures", default=DEFAULT, metavar="NAMES", help="as ir-measures writes them, in one argument")
    add("--from", dest="format", metavar="FORMAT", help="of the runs, where it cannot be guessed")
    add("--skip-bad", action="store_true", help="leave malformed lines out, and count them")
    add("--json", action="store_true", help="machine output")


def judgements_of(args: argparse.Namespace, bad: Bad) -> Judgements:
    """The judgements that --qrels or --data name."""
    from ..evaluate.judgements import judgements, qrels_file

    if (args.qrels is None) == (args.data is None):
        raise ConfigError("give the judgements with either --qrels FILE or --data FOLDER")
    return judgements(args.qrels or qrels_file(args.data, args.split), bad=bad)


def named_runs(paths: Sequence[str]) -> dict[str, str]:
    """Name -> path; names are file names without endings, or whole paths where those would be the same."""
    from ..evaluate.evaluation import run_name

    if len(set(paths)) < len(paths):
        raise ConfigError(f"a run was given twice: {', '.join(paths)}")
    names = [run_name(path) for path in paths]
    return {name if names.count(name) == 1 else path: path for name, path in zip(names, paths, strict=True)}


def report_bad(bad: Bad) -> None:
    """On standard error: how many malformed lines were left out, with the first of them."""
    if bad.count:
        print(f"left out {bad.count} malformed lines:", file=sys.stderr)
        for example in bad.examples[:SHOWN_BAD]:
            print(f"  {example}", file=sys.stderr)


def console(*, error: bool = False) -> Console:
    """A console that folds at the terminal's width, and hardly at all elsewhere."""
    from rich.console import Console

    made = Console(stderr=error, highlight=False)
    return made if made.is_terminal else Console(stderr=error, highlight=False, width=PIPE_WIDTH)


def notes(evaluation: Evaluation) -> Iterator[str]:
    """What has to be known to read the figures of one run."""
    c = evaluation.coverage
    groups = [
        (c.missing, f"of {c.judged} judged queries are missing from the run and count as 0"),
        (c.unscored, f"of {c.judged} judged queries were not scored by the reranker and count as 0"),
        (c.empty, f"of {c.judged} judged queries have an empty ranking and count as 0"),
        (c.partial, "queries were ranked in part before a budget ended"),
        (c.ignored, "queries of the run have no judgements and are ignored"),
    ]
    for ids, what in groups:
        if ids:
            yield f"{len(ids)} {what}: {_some(ids)}"
    if c.tied_documents:
        yield _ties(evaluation)
    if c.unjudged_top:
        share = f"{c.unjudged_share:.1%} of the documents in the first 10 places ({c.unjudged_top} of {c.top})"
        yield f"{share} are unjudged and count as not relevant"


def _ties(evaluation: Evaluation) -> str:
    c = evaluation.coverage
    text = f"{c.tied_documents} documents in {c.tied_queries} queries have tied scores"
    ranges = [(m, low, high) for m, (low, high) in evaluation.tie_range.items() if high - low > 5e-5]
    if not ranges:
        return f"{text}; their order changes no figure"
    return f"{text}; by their order alone " + ", ".join(f"{m} lies in {low:.4f}..{high:.4f}" for m, low, high in ranges)


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else ""
    return ", ".join(ids[:SHOWN_IDS]) + more
