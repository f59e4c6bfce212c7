"""Write the report of a training anew: curves, the gate's verdict and facts, also while it runs or after it was killed.

FOLDER is what `shortlist train` or `distil` was given as --output. `training/report.html` in it is whole in itself;
PNG files of the curves are written beside it where matplotlib is installed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..core.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="output folder of a training")


def run(args: argparse.Namespace) -> int:
    from ..train.report import write_report
    from ..train.run import RECORDS

    records = Path(args.folder) / RECORDS
    if not (records / "metrics.jsonl").is_file():
        raise InputError(f"{records} holds no metrics.jsonl; give the folder that `shortlist train` was given as -o")
    report = write_report(records)
    print("\n".join(map(str, (report.page, *report.pictures))))
    if report.note:
        print(report.note, file=sys.stderr)
    return 0
