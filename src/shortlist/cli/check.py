"""Check a model, an endpoint or a reranker of yours: does it keep what rerankers rely on?

``check backend`` asks a model some dozens of short questions (and two of up to 4,000 words) in every way it offers:
alone and in batches, in another order, twice, with hard texts, with more text than it can read. ``check reranker`` runs
a method over made rankings of up to 137 documents; with a paid service, mind the cost. The exit status is 1 when a
check fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ._params import parse_params

if TYPE_CHECKING:
    from ..check import Outcome

EXIT_FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True, metavar="backend|reranker")
    backend = what.add_parser("backend", help="a model or an endpoint, by its capabilities")
    backend.add_argument(
        "--model", required=True, metavar="MODEL", help="an endpoint's address, a folder or a hub name"
    )
    kinds = "endpoint, causal, seq2seq, classifier, embedder, cross-encoder, encoder"
    backend.add_argument("--kind", default="auto", metavar="KIND", help=f"{kinds} (default: told by the model itself)")
    backend.add_argument("--within", type=float, default=1e-4, metavar="X", help="how far equal numbers may lie apart")
    reranker = what.add_parser("reranker", help="a method, with a model of yours or a method's own")
    reranker.add_argument("--with", dest="method", required=True, metavar="METHOD", help="see `shortlist methods`")
    reranker.add_argument("--model", metavar="MODEL", help="the method's model")
    reranker.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="of the method")
    for each in (backend, reranker):
        each.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="of the model")
        each.add_argument("--json", action="store_true", help="machine output")


def run(args: argparse.Namespace) -> int:
    outcomes = []
    try:
        for outcome in _backend(args) if args.what == "backend" else _reranker(args):
            outcomes.append(outcome)
            _progress()
            if not args.json:
                found = f": {outcome.found}" if outcome.found else ""
                print(f"{outcome.state:11s} {outcome.check}{found}", flush=True)
    finally:
        _progress()
    failed = sum(outcome.state == "FAILED" for outcome in outcomes)
    if args.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes], indent=2, ensure_ascii=False))
    print(f"{len(outcomes)} checks, {failed} failed", file=sys.stderr)
    return EXIT_FAILED if failed else 0


def _backend(args: argparse.Namespace) -> Iterator[Outcome]:
    from ..check import examine_backend
    from ..check.opening import backend_of

    backend = backend_of(args.model, parse_params(args.option, "--option"), args.kind)
    return examine_backend(backend, within=args.within, progress=_progress)


def _reranker(args: argparse.Namespace) -> Iterator[Outcome]:
    from .. import load
    from ..check import examine_reranker

    params = parse_params(args.param)
    options = parse_params(args.option, "--option")
    if args.model is not None:
        params["model"] = args.model
    reranker: Any = load(args.method, **params, **({"options": options} if options else {}))
    return examine_reranker(reranker, progress=_progress)


def _progress(done: int = 0, total: int = 0, what: str = "") -> None:
    """One line on standard error, when that is a terminal: what is being checked; nothing takes the line away."""
    if sys.stderr.isatty():
        line = f"{done + 1}/{total} {what} ..." if what else ""
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
