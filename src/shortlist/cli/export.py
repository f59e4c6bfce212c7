"""Write an encoder or cross-encoder for the CPU: int8 rows, and on the way fewer layers or a smaller vocabulary.

With --held-out the model as given, in floats, and the written one rank the same candidates; the difference is what all
steps together cost. It is measured, not judged: the exit status does not depend on it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigError

if TYPE_CHECKING:
    from ..train.gate import HeldOut
    from ..train.verdict import Verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "folder",
        metavar="MODEL",
        help="folder, hub name or all-MiniLM-L6-v2 (shipped): BERT and its kin, with or without a head",
    )
    add("-o", "--output", required=True, metavar="FOLDER", help="folder to write")
    add("--form", choices=("int8", "int4", "bf16", "fp32"), default="int8", help="of the matrices (default int8; "
        "int4: int8 with the table of words in 4 bits)")  # fmt: skip
    add("--layers", metavar="I,I...", help="keep only these, counted from 0; train afterwards")
    add("--words-of", action="append", default=[], metavar="FILE", help="keep only the tokens of these texts: "
        "lines, or of a .jsonl each record's title and text")  # fmt: skip
    add("--most-words", type=int, metavar="N", help="of these only the N most frequent, beside single characters")
    add("--first-words", type=int, default=0, metavar="N", help="keep the first N words of the vocabulary too, which "
        "are the most frequent ones of English in BERT's; they count towards --most-words")  # fmt: skip
    add("--held-out", action="append", default=[], metavar="FOLDER", help="BEIR folder to measure the difference on")


def run(args: argparse.Namespace) -> int:
    from ..backends.embedded.folder import find_model
    from ..train.export import export
    from ..train.gate import held_out_folder
    from ..train.surgery import keep_layers, keep_words

    source = given = find_model(args.folder).folder
    sets = [held_out_folder(folder) for folder in args.held_out]  # before anything is written
    with tempfile.TemporaryDirectory() as scratch:
        if args.most_words and not args.words_of:
            raise ConfigError(f"--most-words {args.most_words}: of which texts? give --words-of FILE")
        if args.words_of or args.first_words:
            texts, cut = _texts(args.words_of), Path(scratch) / "words"
            before, after = keep_words(source, cut, texts, args.most_words, args.first_words)
            print(f"{after:,} of {before:,} tokens kept", file=sys.stderr)
            source = cut
        if args.layers:
            keep_layers(source, Path(scratch) / "layers", _numbers(args.layers))
            source = Path(scratch) / "layers"
        size = export(source, Path(args.output), args.form)
        print(f"{size / 1e6:.1f} MB of weights in {args.output}", file=sys.stderr)
        if sets:
            print(_measured(given, Path(args.output), sets))
    return 0


def _texts(names: list[str]) -> Iterator[str]:
    from ..formats.lines import Source, iter_lines
    from ..formats.records import iter_records

    for name in names:
        source = Source(name)
        if ".jsonl" in Path(name).suffixes:
            for number, record, line in iter_records(source):
                yield _text(record, source.name, number, line)
        else:
            yield from (line for _, line in iter_lines(source))


def _text(record: dict[str, Any], name: str, number: int, line: str) -> str:
    """Title and text of a document, or the text of a query."""
    from ..core.errors import FormatError
    from ..formats.records import QUERY_TEXT_KEYS, TEXT_KEYS, first_key

    keys = ("title", first_key(record, (*TEXT_KEYS, *QUERY_TEXT_KEYS)) or "text")
    held = [record[key] for key in keys if record.get(key)]
    if not held or not all(isinstance(text, str) for text in held):
        raise FormatError(name, number, "expected a record with a text or a title, such as a corpus or queries", line)
    return " ".join(held)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"--layers {text!r}: expected numbers between commas, such as 0,2,4") from error


def _measured(before: Path, after: Path, sets: list[HeldOut]) -> str:
    """Measure and cost of the model as given, in floats, and of the written form."""
    from .. import load
    from ..backends.embedded.folder import ModelFolder
    from ..train.gate import gate

    method = "cross-encoder" if ModelFolder(before).labels else "bi-encoder"
    old, new = load(method, model=str(before), precision="fp32"), load(method, model=str(after))
    return _page(gate(old, new, sets))


def _page(found: Verdict) -> str:
    before, after = (f"{1000 * cost.seconds_per_query:.1f}" for cost in found.costs.values())
    what = (
        f"{found.measure} of the model as given (before) and as written (after), paired by query; interval: bootstrap, "
        f"{found.confidence:.0%}."
    )
    costs = f"ms per query on this machine: {before} before, {after} after."
    return "\n".join([what, "", *found.differences(), "", costs])
