"""The picture of the terminal in the README, from a real run: docs/assets/terminal.svg.

    python tools/terminal_picture.py [--out FILE.svg]

Runs the commands below on the demo collection in a pseudo-terminal (Linux, macOS), keeps what they print, colours
included, and draws it with rich. Times differ from run to run; nothing else is edited.
"""

from __future__ import annotations

import argparse
import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

OUT = Path(__file__).resolve().parents[1] / "docs" / "assets" / "terminal.svg"
WIDTH = 110
FIRST = "shortlist rerank --data shortlist-demo -o reranked.trec --quiet"
SHOWN = (
    'shortlist search shortlist-demo/documents "why does my coffee taste sour?" --top-k 2',
    "shortlist evaluate reranked.trec --data shortlist-demo --first-stage reranked.first-stage.trec",
)
FONT = re.compile(r"@font-face \{.*?\}\s*", re.S)  # fonts from a foreign server: the reader's own will do


def in_terminal(command: str, folder: Path) -> str:
    """What a command prints into a terminal of ``WIDTH`` columns, with its colours. Raises when it fails."""
    ours, theirs = pty.openpty()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    with subprocess.Popen(
        ["bash", "-c", command], cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(theirs)
        printed = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux says that the other end was closed in this way
                break
            if not part:
                break
            printed += part
        notes = process.stderr.read() if process.stderr else ""
    os.close(ours)
    if process.returncode:
        raise SystemExit(f"{command}: exit status {process.returncode}\n{notes}")
    return notes + printed.decode("utf-8").replace("\r\n", "\n")


def draw(transcript: list[tuple[str, str]]) -> str:
    """The commands and their outputs as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    for command, printed in transcript:
        prompt = Text("$ ", style="bold green") + Text(command, style="bold")
        for line in [prompt, *Text.from_ansi(printed.rstrip("\n")).split("\n", allow_blank=True), Text()]:
            for start in range(0, max(len(line), 1), WIDTH):  # a terminal folds at the last column
                console.print(line[start : start + WIDTH], no_wrap=True, crop=False)
    svg = console.export_svg(title="shortlist", unique_id="shortlist")
    return FONT.sub("", svg)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    from shortlist.cli.demo import copy_collection

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["SHORTLIST_CACHE"] = str(folder / "cache")
        copy_collection(folder / "shortlist-demo")
        in_terminal(FIRST, folder)
        svg = draw([(command, in_terminal(command, folder)) for command in SHOWN])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(svg, encoding="utf-8")
    print(f"{args.out}: {len(svg):,} characters")


if __name__ == "__main__":
    main()
