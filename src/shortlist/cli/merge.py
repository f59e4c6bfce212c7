"""Average checkpoints of one model, weighted, in float32: often better over all sets than any one of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..core.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folders", nargs="+", metavar="FOLDER", help="model folders or shipped names, trained from the same start")
    add("-o", "--output", required=True, metavar="FOLDER", help="folder to write")
    add("--weights", metavar="W,W...", help="one per folder, scaled to a sum of 1 (default: equal)")


def run(args: argparse.Namespace) -> int:
    from ..backends.embedded.folder import find_model
    from ..train.merge import merge

    try:
        weights = None if args.weights is None else [float(w) for w in args.weights.split(",")]
    except ValueError as error:
        raise ConfigError(f"--weights {args.weights!r}: expected numbers between commas, such as 0.7,0.3") from error
    merge([find_model(folder).folder for folder in args.folders], Path(args.output), weights)
    if weights is not None and abs(sum(weights) - 1) > 1e-6:
        scaled = ", ".join(f"{weight / sum(weights):.4g}" for weight in weights)
        print(f"--weights {args.weights} add up to {sum(weights):.4g}; scaled to {scaled}", file=sys.stderr)
    print(f"average of {len(args.folders)} models in {args.output}", file=sys.stderr)
    return 0
