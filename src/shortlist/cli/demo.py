"""See the main job on a small collection that comes with the package: rerank, evaluate, search.

Copies the collection (passages about coffee, queries with graded judgements, a few documents) into FOLDER and runs
three ordinary commands on it, printing each before it runs.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from ..core.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default="shortlist-demo", metavar="FOLDER", help="where to put it")


def run(args: argparse.Namespace) -> int:
    from . import main

    folder = Path(args.folder)
    files = copy_collection(folder)
    print(f"{files} files copied into {folder}: passages, queries, judgements and a few documents about coffee.")
    output, first = folder / "reranked.trec", folder / "reranked.first-stage.trec"
    for what, command in (
        ("Rerank what BM25 finds for every query:", ["rerank", "--data", str(folder), "-o", str(output)]),
        (
            "Measure it against the judgements, beside the first stage and the best possible order:",
            ["evaluate", str(output), "--data", str(folder), "--first-stage", str(first)],
        ),
        ("Is the difference more than luck?", ["compare", str(first), str(output), "--data", str(folder)]),
        (
            "Search a folder of documents:",
            ["search", str(folder / "documents"), "why does my coffee taste sour?", "--top-k", "3"],
        ),
    ):
        print(f"\n{what}\n$ {shlex.join(['shortlist', *command])}\n", flush=True)
        status = main(command)
        if status:
            return status
    print(f"\nThe same with your own files: shortlist search FOLDER QUERY. Everything above is in {folder}.")
    return 0


def copy_collection(folder: Path) -> int:
    """Copy the collection into ``folder`` and return the number of files. Raises ConfigError for a folder of
    something else."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; give the name of a new folder")
    collection = dict(_files(resources.files("shortlist") / "demo"))
    if folder.is_dir() and any(folder.iterdir()):
        present = folder / "corpus.jsonl"
        if not present.is_file() or present.read_bytes() != collection[Path("corpus.jsonl")].read_bytes():
            raise ConfigError(f"{folder} holds other files; give the name of a new folder: shortlist demo FOLDER")
    count = 0
    for relative, source in collection.items():
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        count += 1
    return count


def _files(folder: Traversable, inside: Path = Path()) -> Iterator[tuple[Path, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.name.startswith(("_", ".")):
            continue
        if entry.is_dir():
            yield from _files(entry, inside / entry.name)
        else:
            yield inside / entry.name, entry
