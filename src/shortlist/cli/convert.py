"""Turn a run, rankings, queries, judgements or documents into another format, and say what is lost.

The report goes to standard error; with --json it goes to standard output as one object.
"""

from __future__ import annotations

import argparse
import json
import sys

from ..core.errors import ConfigError
from ..data import Collection
from ..formats import Bad, by_id, convert, names, read_qrels, read_queries


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``shortlist convert``."""
    parser.add_argument("source", metavar="IN", help="file to read (.gz and .xz are unpacked), or - for standard input")
    parser.add_argument("target", metavar="OUT", help="file to write (packed when it ends in .gz or .xz), or -")
    parser.add_argument("--from", dest="source_format", metavar="FORMAT", help="format of IN; guessed when not given")
    parser.add_argument(
        "--to", dest="target_format", metavar="FORMAT", help="format of OUT; from its ending when not given"
    )
    parser.add_argument("--corpus", metavar="FILE", help="documents, for texts that IN does not hold")
    parser.add_argument("--queries", metavar="FILE", help="queries, for texts that IN does not hold")
    parser.add_argument("--qrels", metavar="FILE", help="judgements, for training files")
    parser.add_argument(
        "--cache", metavar="FOLDER", help="where the index of a large corpus is kept; beside it by default"
    )
    parser.add_argument("--ungrouped", action="store_true", help="the lines of one query do not stand together in IN")
    parser.add_argument("--skip-bad", action="store_true", help="leave malformed lines out, count and list them")
    parser.add_argument("--json", action="store_true", help="print the report as JSON on standard output")
    parser.epilog = f"formats: {', '.join(names())}"


def run(args: argparse.Namespace) -> int:
    """Convert and report. Exit status 0, also when lines were skipped on request."""
    if args.json and args.target == "-":
        raise ConfigError("--json prints the report on standard output, where OUT '-' goes too; write OUT to a file")
    report = convert(
        args.source,
        args.target,
        args.source_format,
        args.target_format,
        queries=by_id(read_queries(args.queries)) if args.queries else None,
        corpus=Collection(args.corpus, args.cache) if args.corpus else None,
        qrels=read_qrels(args.qrels) if args.qrels else (),
        grouped=not args.ungrouped,
        bad=Bad(skip=args.skip_bad),
    )
    if args.json:
        print(json.dumps(report.as_dict(), ensure_ascii=False))
    else:
        print(*report.lines(), sep="\n", file=sys.stderr)
    return 0
