"""Runs the examples of a documentation page and compares what they print with what the page says they print.

    python tools/docs_run.py README.md docs/how-to/*.md           # say what differs
    python tools/docs_run.py --write README.md docs/how-to/*.md   # put the real output into the page

A page is run top to bottom in a folder that holds the demo collection as ``shortlist-demo``, a model with random
weights as ``my-cross-encoder`` and, where it stands in a clone, the tiny language model. What counts:

- a ``console`` block: each line that begins with ``$ `` is a command, the lines below it are its output;
- a ``python`` block: executed, all blocks of a page in one namespace; a ``text`` block right behind it is its output;
- ``<!-- not run: reason -->`` on the line above a block: it is left alone;
- a line ``...`` in an output stands for any number of lines.

Numbers are compared loosely and times not at all: the last digits depend on the processor.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

COLLECTION = "shortlist-demo"
MODEL = "my-cross-encoder"
TINY = "tests/fixtures/tiny-ranker"
SKIP = re.compile(r"<!-- not run: \S.* -->")
FENCE = re.compile(r"^```(\w*)(.*)$")
NUMBER = re.compile(r"[-+]?\d+\.\d+")
TIMES = re.compile(r"\d+(?:\.\d+)? m?s\b|(?<=seconds: ).*")
SHELL = re.compile(r"[|<>;&*$]")
TOLERANCE = 0.02


@dataclass(frozen=True)
class Block:
    """A fenced block. start, end: indices of its first and last inner line + 1, in the page's lines."""

    language: str
    lines: tuple[str, ...]
    start: int
    end: int
    run: bool

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Example:
    """Something to run: commands of a console block, or a python block; and the lines in which its output stands."""

    page: Path
    code: str
    python: bool
    output: tuple[str, ...] | None
    start: int
    end: int


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found, lines = [], text.split("\n")
    start: int | None = None
    language, run = "", True
    for number, line in enumerate(lines):
        fence = FENCE.match(line)
        if start is None and fence:
            start, language = number + 1, fence[1]
            run = not (number and SKIP.fullmatch(lines[number - 1].strip()))
        elif start is not None and line == "```":
            found.append(Block(language, tuple(lines[start:number]), start, number, run))
            start = None
    return found


def examples(page: Path) -> list[Example]:
    """What a page claims can be run, in order."""
    text = page.read_text(encoding="utf-8")
    lines, every, found = text.split("\n"), blocks(text), []
    for block, following in zip_longest(every, every[1:]):
        if not block.run:
            continue
        if block.language == "console":
            found += _commands(page, block)
        elif block.language == "python":
            behind = following is not None and following.language == "text" and following.run
            between = lines[block.end + 1 : following.start - 1] if following else ["none"]
            if behind and following and not any(between):
                found.append(Example(page, block.text, True, following.lines, following.start, following.end))
            else:
                found.append(Example(page, block.text, True, None, block.end, block.end))
    return found


def _commands(page: Path, block: Block) -> Iterator[Example]:
    at = [i for i, line in enumerate(block.lines) if line.startswith("$ ")]
    for i, following in zip(at, [*at[1:], len(block.lines)], strict=True):
        last = following
        while last > i + 1 and not block.lines[last - 1].strip():
            last -= 1  # empty lines before the next command belong to the page, not to the output
        yield Example(
            page, block.lines[i][2:], False, block.lines[i + 1 : last], block.start + i + 1, block.start + last
        )


def commands(text: str) -> list[str]:
    """Every ``shortlist`` command line that a page shows, also in blocks that are not run and in pipes."""
    found = []
    for block in blocks(text):
        if block.language == "console":
            for line in block.lines:
                if line.startswith("$ "):
                    found += [
                        c.strip() for c in re.split(r"\|(?!\|)|&&|;", line[2:]) if c.strip().startswith("shortlist ")
                    ]
    return found


def run(example: Example, namespace: dict[str, Any]) -> str:
    """What the example prints, standard error included. Raises whatever it raises."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        if example.python:
            exec(compile(example.code, f"{example.page}:{example.start}", "exec"), namespace)
        elif example.code.startswith("shortlist ") and not SHELL.search(_unquoted(example.code)):
            from shortlist.cli import main

            with contextlib.suppress(SystemExit):  # argparse: --help and wrong usage
                main(shlex.split(example.code, comments=True)[1:])
        else:
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            done = subprocess.run(
                ["bash", "-c", example.code],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, "PATH": path},
                check=False,
            )
            out.write(done.stdout)
    return out.getvalue()


def _unquoted(command: str) -> str:
    return re.sub(r"'[^']*'|\"[^\"]*\"", "", command)


def differs(expected: tuple[str, ...], printed: str) -> str:
    """Where the output differs from what the page says; empty when it does not."""
    got = [line.rstrip() for line in printed.rstrip("\n").split("\n")]
    wanted = [line.rstrip() for line in expected] or [""]
    return "" if _matches(wanted, got) else "\n".join(["the page says:", *wanted, "it printed:", *got])


def _matches(wanted: list[str], got: list[str]) -> bool:
    if not wanted:
        return not got
    if wanted[0].strip() == "...":
        return any(_matches(wanted[1:], got[i:]) for i in range(len(got) + 1))
    return bool(got) and _alike(wanted[0], got[0]) and _matches(wanted[1:], got[1:])


def _alike(wanted: str, got: str) -> bool:
    if wanted == got:
        return True
    a, b = (TIMES.sub("(time)", line) for line in (wanted, got))
    if " ".join(NUMBER.sub("#", a).split()) != " ".join(NUMBER.sub("#", b).split()):
        return False
    numbers = zip(NUMBER.findall(a), NUMBER.findall(b), strict=True)
    return all(abs(float(x) - float(y)) <= TOLERANCE * max(1.0, abs(float(x))) for x, y in numbers)


def model_folder(folder: Path) -> None:
    """A tiny cross-encoder with random weights and the shipped tokenizer: a stand-in for the reader's own model."""
    import numpy as np

    from shortlist.backends.embedded.folder import DEFAULT, SHIPPED

    width, inner, words, random = 16, 32, 30522, np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (words, width),
        "bert.embeddings.position_embeddings.weight": (512, width),
        "bert.embeddings.token_type_embeddings.weight": (2, width),
        "bert.embeddings.LayerNorm.weight": (width,),
        "bert.embeddings.LayerNorm.bias": (width,),
        "bert.pooler.dense.weight": (width, width),
        "bert.pooler.dense.bias": (width,),
        "classifier.weight": (1, width),
        "classifier.bias": (1,),
    }
    layer = "bert.encoder.layer.0."
    parts = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
    sizes = {
        **dict.fromkeys(parts, (width, width)),
        "intermediate.dense": (inner, width),
        "output.dense": (width, inner),
    }
    for name, shape in sizes.items():
        shapes |= {f"{layer}{name}.weight": shape, f"{layer}{name}.bias": shape[:1]}
    for name in ("attention.output.LayerNorm", "output.LayerNorm"):
        shapes |= {f"{layer}{name}.weight": (width,), f"{layer}{name}.bias": (width,)}
    header, data = {}, b""
    for name, shape in shapes.items():
        raw = random.normal(0, 0.3, shape).astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    described = json.dumps(header).encode()
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(len(described).to_bytes(8, "little") + described + data)
    settings = json.loads((SHIPPED / DEFAULT / "config.json").read_text(encoding="utf-8"))
    settings |= {
        "architectures": ["BertForSequenceClassification"],
        "id2label": {"0": "relevant"},
        "hidden_size": width,
    }
    settings |= {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": inner}
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "tokenizer.json").write_bytes((SHIPPED / DEFAULT / "tokenizer.json").read_bytes())


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """An empty folder with the demo collection, made the current folder; and a cache of its own."""
    from shortlist.cli.demo import copy_collection

    before, cache = Path.cwd(), os.environ.get("SHORTLIST_CACHE")
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch) / "work"
        copy_collection(work / COLLECTION)
        model_folder(work / MODEL)
        shutil.copytree(Path(__file__).parents[1] / TINY, work / TINY)
        os.environ["SHORTLIST_CACHE"] = str(Path(scratch) / "cache")
        os.chdir(work)
        try:
            yield work
        finally:
            os.chdir(before)
            os.environ.pop("SHORTLIST_CACHE")
            if cache is not None:
                os.environ["SHORTLIST_CACHE"] = cache


def problems(page: Path, *, compare: bool = True) -> list[str]:
    """Run a page; one text per example that fails or prints something else."""
    found = []
    page = page.resolve()
    with workplace():
        namespace: dict[str, Any] = {"__name__": "__page__"}
        for example in examples(page):
            where = f"{page.name}, line {example.start}: {example.code.strip().splitlines()[-1][:100]}"
            printed = run(example, namespace)
            if compare and example.output is not None and (difference := differs(example.output, printed)):
                found.append(f"{where}\n{difference}")
    return found


def write(page: Path) -> int:
    """Replace every output that is not what the example prints; returns how many."""
    page = page.resolve()
    lines = page.read_text(encoding="utf-8").split("\n")
    changes: list[tuple[Example, str]] = []
    with workplace():
        namespace: dict[str, Any] = {"__name__": "__page__"}
        for example in examples(page):
            printed = run(example, namespace)
            if example.output is not None and differs(example.output, printed):
                changes.append((example, printed))
    for example, printed in reversed(changes):
        real = [line.rstrip() for line in printed.rstrip("\n").split("\n")] if printed.strip() else []
        lines[example.start : example.end] = real
    page.write_text("\n".join(lines), encoding="utf-8")
    return len(changes)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="put the real output into the pages")
    args = parser.parse_args()
    failed = False
    for page in args.pages:
        if args.write:
            print(f"{page}: {write(page)} outputs replaced")
        else:
            found = problems(page)
            failed |= bool(found)
            print(f"{page}: {len(found)} differences", *found, sep="\n\n")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
