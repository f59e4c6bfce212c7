"""Try out what works on this machine: model, runtime, precision, optional packages."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="machine output")


def run(args: argparse.Namespace) -> int:
    from ..check.doctor import examine

    failed = False
    findings = []
    for finding in examine():
        failed |= finding.state == "FAILED"
        findings.append(asdict(finding))
        if not args.json:
            print(f"{finding.state:7s} {finding.what}: {finding.evidence}", flush=True)
    if args.json:
        print(json.dumps(findings, indent=2, ensure_ascii=False))
    return 1 if failed else 0
