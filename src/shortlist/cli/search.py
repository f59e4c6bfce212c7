"""Search files: index them, find candidates with BM25, rerank, print the best passages.

PATH is a folder of text, Markdown, HTML and PDF files, a JSONL, CSV or TSV file, or a BEIR folder. The index is kept
in PATH/.shortlist (or in the cache folder when that cannot be written) and brought up to date at each search.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..core.types import Query
from ._found import print_found, print_report, record
from ._job import params_of

if TYPE_CHECKING:
    from ..retrieve._index import Progress

WITH = "reranker (see `shortlist methods`); auto is the built-in one for English texts and none for others"
BY = ("passage", "max", "first", "mean")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("path", metavar="PATH", help="folder or file to search")
    add("queries", metavar="QUERY", nargs="+", help="queries; - reads one per line from standard input")
    add("--top-k", type=int, default=10, metavar="N", help="results to print")
    add("--depth", type=int, default=100, metavar="N", help="candidates to rerank")
    add("--with", dest="reranker", default="auto", metavar="METHOD", help=WITH)
    add("--param", action="append", default=[], metavar="NAME=VALUE", help="of the reranker; may be repeated")
    add("--model", metavar="MODEL", help="the reranker's model: a shipped one (shortlist-fast-en is the faster), an "
        "endpoint's address, a folder or a hub name")  # fmt: skip
    add("--option", action="append", default=[], metavar="NAME=VALUE", help="of the reranker's model")
    add("--no-rerank", action="store_true", help="the first stage only: no model is loaded")
    add("--language", metavar="NAME", help="of the texts, such as german or de; the index's own, else english")
    add("--by", choices=BY, default=BY[0], help="what is ranked: passages, or documents by the best, first or mean one")
    add("--index", metavar="DIR", help="where the index is kept instead")
    add("--rebuild", action="store_true", help="forget the old index")
    add("--explain", action="store_true", help="what each query term added to the first-stage score; repairs")
    add("--json", action="store_true", help="one JSON object per query on standard output")


def run(args: argparse.Namespace) -> int:
    from ..retrieve._search import Searcher

    queries = _queries(args.queries)
    searcher = Searcher.open(
        args.path,
        reranker=None if args.no_rerank else args.reranker,
        params=params_of(args, {}),
        depth=max(args.depth, args.top_k),
        top_k=args.top_k,
        aggregate=None if args.by == BY[0] else args.by,
        progress=_progress if sys.stderr.isatty() else None,
        folder=args.index,
        language=args.language,
        afresh=args.rebuild,
    )
    print_report(searcher.index, searcher.seconds["index"], sys.stderr)
    if searcher.method is None and not args.no_rerank:
        language = searcher.index.retriever.language
        print(
            f"the built-in reranker reads English, and this index is {language} (--language changes it): "
            "first stage only; --with METHOD reranks",
            file=sys.stderr,
        )
    for number, text in enumerate(queries, 1):
        found = searcher.search(Query(f"q{number}", text), explain=args.explain)
        if args.json:
            # ASCII: a terminal or pipe of any encoding takes it, and half surrogates survive.
            print(json.dumps(record(found, searcher, searcher.method), default=str), flush=True)
        else:
            print_found(found, searcher, searcher.method, sys.stdout)
    return 0


def _progress(progress: Progress) -> None:
    clear, name = "\r\x1b[K", progress.name[:60]
    print(f"{clear}indexing {progress.done + 1}/{progress.total} {name}", end="", file=sys.stderr, flush=True)
    if progress.done + 1 == progress.total:
        print(clear, end="", file=sys.stderr, flush=True)


def _queries(given: list[str]) -> Iterator[str]:
    for text in given:
        if text != "-":
            yield text
            continue
        for line in sys.stdin:
            if line.strip():
                yield line.strip()
