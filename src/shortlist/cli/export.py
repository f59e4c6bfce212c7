"""Write an encoder or cross-encoder for the CPU: int8 rows, and on the way fewer layers or a smaller vocabulary.

With --held-out the float and the written model rank the same candidates, and what the rounding costs is printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "folder",
        metavar="MODEL",
        help="folder, hub name or all-MiniLM-L6-v2 (shipped): BERT and its kin, with or without a head",
    )
    add("-o", "--output", required=True, metavar="FOLDER", help="folder to write")
    add("--form", choices=("int8", "bf16", "fp32"), default="int8", help="of the matrices (default int8)")
    add("--layers", metavar="I,I...", help="keep only these, counted from 0; train afterwards")
    add("--words-of", action="append", default=[], metavar="FILE", help="keep only the tokens of these texts (lines)")
    add("--held-out", action="append", default=[], metavar="FOLDER", help="BEIR folder to measure the difference on")


def run(args: argparse.Namespace) -> int:
    from ..backends.embedded.folder import find_model
    from ..train.export import export
    from ..train.surgery import keep_layers, keep_words

    source = find_model(args.folder).folder
    with tempfile.TemporaryDirectory() as scratch:
        if args.words_of:
            before, after = keep_words(source, Path(scratch) / "words", _lines(args.words_of))
            print(f"{after:,} of {before:,} tokens kept", file=sys.stderr)
            source = Path(scratch) / "words"
        if args.layers:
            keep_layers(source, Path(scratch) / "layers", _numbers(args.layers))
            source = Path(scratch) / "layers"
        size = export(source, Path(args.output), args.form)
        print(f"{size / 1e6:.1f} MB of weights in {args.output}", file=sys.stderr)
        if args.held_out:
            print(_measured(source, Path(args.output), args.held_out))
    return 0


def _lines(names: list[str]) -> Iterator[str]:
    for name in names:
        with Path(name).open(encoding="utf-8") as file:
            yield from file


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"--layers {text!r}: expected numbers between commas, such as 0,2,4") from error


def _measured(before: Path, after: Path, folders: list[str]) -> str:
    """The gate's page, floats against the written form."""
    from .. import load
    from ..backends.embedded.folder import ModelFolder
    from ..train.gate import gate, held_out_folder

    method = "cross-encoder" if ModelFolder(before).labels else "bi-encoder"
    old, new = load(method, model=str(before), precision="fp32"), load(method, model=str(after))
    return gate(old, new, [held_out_folder(folder) for folder in folders]).markdown()
