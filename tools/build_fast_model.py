"""Build the fast model that the package ships, shortlist-fast-en: what it is trained on, and its folder.

    python tools/build_fast_model.py samples CORPUS.jsonl QUERIES.jsonl --without squad,xquad,qed -o samples.jsonl
    shortlist export all-MiniLM-L6-v2 --layers 0,1,3,5 --form fp32 -o four-layers
    shortlist train --config token-states samples.jsonl -o trained
    python tools/build_fast_model.py ship trained CORPUS.jsonl --without squad,xquad,qed

A sample is 36 texts of nearly the same length (so little is padded): passages, or queries, which are texts to be read
like any other. Grades and scores in it mean nothing; token states are learned, not a ranking. ``ship`` keeps 23,000
words, 13,800 of them the first of the vocabulary, and writes the table of words in 4 bits, the layers in 8. How the
shipped weights were trained, exactly, is in the model's card.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from shortlist.formats.lines import Source
from shortlist.formats.records import iter_records
from shortlist.train.export import export
from shortlist.train.folders import write_json
from shortlist.train.surgery import keep_words

OUT = Path(__file__).parents[1] / "src" / "shortlist" / "models" / "shortlist-fast-en"
SIZE, LONGEST = 36, 1200  # texts in a sample; characters of a text
PASSAGES, QUERIES = 2400, 1400  # samples
MOST_WORDS, FIRST_WORDS = 23_000, 13_800
WINDOW = 256


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("samples", help="write what is trained on")
    one.add_argument("corpus")
    one.add_argument("queries")
    one.add_argument("-o", "--output", type=Path, required=True)
    two = commands.add_parser("ship", help="write the model's folder")
    two.add_argument("trained", type=Path)
    two.add_argument("corpus")
    two.add_argument("--out", type=Path, default=OUT)
    for command in (one, two):
        command.add_argument("--without", default="", help="values of `source` to leave out: a,b")
    options = parser.parse_args(arguments)
    corpus = list(texts(options.corpus, options.without))
    if options.command == "samples":
        write_samples(corpus, list(texts(options.queries, options.without)), options.output)
    else:
        print(f"{ship(options.trained, corpus, options.out):,} bytes in {options.out}")


def texts(name: str, without: str) -> Iterator[str]:
    """The texts of a corpus or queries file whose source is not one of those left out."""
    unwanted = {source for source in without.split(",") if source}
    for _, record, _ in iter_records(Source(name)):
        if not any(source in str(record.get("source", "")).lower() for source in unwanted):
            yield str(record["text"])


def write_samples(corpus: list[str], queries: list[str], output: Path) -> None:
    """Samples of passages and of queries, mixed."""
    draw = random.Random(1)
    made = groups([text[:LONGEST] for text in corpus], PASSAGES, draw) + groups(queries, QUERIES, draw)
    draw.shuffle(made)
    with output.open("w", encoding="utf-8", newline="\n") as out:
        for number, group in enumerate(made):
            candidates = [
                {"id": f"d{number}-{place}", "text": text, "score": float(SIZE - place)}
                for place, text in enumerate(group)
            ]
            query = {"id": f"q{number}", "text": queries[number]}
            out.write(json.dumps({"shortlist": 1, "query": query, "candidates": candidates}) + "\n")
    print(f"{len(made):,} samples in {output}", file=sys.stderr)


def groups(found: list[str], most: int, draw: random.Random) -> list[list[str]]:
    """Neighbours in length, in any order; the last few texts are left over."""
    ordered = sorted(found, key=len)
    made = [ordered[start : start + SIZE] for start in range(0, len(ordered) - SIZE + 1, SIZE)]
    draw.shuffle(made)
    return made[:most]


def ship(trained: Path, corpus: list[str], out: Path) -> int:
    """Cut the vocabulary, round, and write the files that the runtime reads; returns their bytes. The card stays."""
    with tempfile.TemporaryDirectory() as scratch:
        cut, packed = Path(scratch) / "cut", Path(scratch) / "packed"
        keep_words(trained, cut, corpus, MOST_WORDS, FIRST_WORDS)
        export(cut, packed, "int4")
        out.mkdir(parents=True, exist_ok=True)
        for name in ("model.safetensors", "tokenizer.json", "config.json"):
            (out / name).write_bytes((packed / name).read_bytes())
    write_json(out / "sentence_bert_config.json", {"max_seq_length": WINDOW})
    return sum(path.stat().st_size for path in out.iterdir())


if __name__ == "__main__":
    main()
