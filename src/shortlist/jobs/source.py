"""Where the candidates of a job come from: a BEIR folder, a run with texts beside it, or one file that holds
everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ..core.errors import ConfigError
from ..core.types import Query, Ranking
from ..data.collection import Collection
from ..data.dataset import load_dataset
from ..formats import read
from ..formats.lines import Bad
from ..formats.queries import by_id, read_queries
from ..formats.run import iter_run, read_rankings, write_run
from ..retrieve.bm25 import BM25

COUNT_BELOW = 256 << 20  # counting the queries of a larger run would take longer than the progress bar is worth
BATCH = 64  # queries retrieved at once


@dataclass(frozen=True)
class Source:
    """Rankings to be reranked, streamed, and what they were made from.

    total: how many there are, None when that would take a pass over a large file. inputs: name -> path, for the
    manifest.
    """

    rankings: Iterable[Ranking]
    total: int | None
    inputs: Mapping[str, Path | str] = field(default_factory=dict)


def from_folder(
    folder: Path, *, first_stage: Path, depth: int, split: str | None = None, language: str = "english"
) -> Source:
    """A BEIR folder: BM25 over its corpus, for the queries that are judged in ``split`` (all, if nothing is judged).

    first_stage: the run that BM25's result is written to, and read from again, so that both stages can be compared.
    """
    dataset = load_dataset(folder)
    queries = dataset.judged(split) if split or dataset.splits else dataset.queries
    bm25 = BM25(documents=dataset.corpus, language=language)
    write_run(_retrieved(bm25, queries.values(), depth), first_stage, tag="bm25")
    rankings = read_rankings(first_stage, queries=queries, corpus=dataset.corpus)
    return Source(rankings, len(queries), _files(folder))


def _files(folder: Path) -> dict[str, Path | str]:
    """The files that a data set consists of; outputs may lie in the same folder."""
    names = ("corpus", "collection", "documents", "queries", "topics")
    found = [p for p in folder.iterdir() if p.is_file() and p.name.partition(".")[0].endswith(names)]
    judged = folder / "qrels"
    found += [p for p in judged.iterdir() if p.is_file()] if judged.is_dir() else []
    return {str(p.relative_to(folder)): p for p in sorted(found)}


def from_run(
    run: Path | str, *, corpus: Path | str | None, queries: Path | str | None, depth: int | None, bad: Bad
) -> Source:
    """A run file, with the texts of its queries and documents. Raises ConfigError when one of these is not given."""
    if corpus is None or queries is None:
        lacking = " and ".join(name for name, given in (("--corpus", corpus), ("--queries", queries)) if given is None)
        raise ConfigError(f"a run holds only ids; {lacking} must say where the texts are (or give --data FOLDER)")
    texts = by_id(read_queries(queries, bad=bad))
    rankings = read_rankings(run, queries=texts, corpus=Collection(corpus), depth=depth, bad=bad)
    return Source(rankings, _count(run), {"run": run, "corpus": corpus, "queries": queries})


def from_file(path: Path | str, *, format: str | None, bad: Bad) -> Source:
    """One file in a dialect that holds queries, candidates and texts; see ``shortlist convert --help``."""
    return Source(read(path, format=format, bad=bad), None, {"input": path})


def _retrieved(bm25: BM25, queries: Iterable[Query], depth: int) -> Iterator[Ranking]:
    source = iter(queries)
    while chunk := list(islice(source, BATCH)):
        yield from bm25.retrieve(chunk, k=depth)


def _count(run: Path | str) -> int | None:
    path = Path(run)
    if str(run) == "-" or not path.is_file() or path.stat().st_size > COUNT_BELOW:
        return None
    return len({row[0] for row in iter_run(path, bad=Bad(skip=True))})  # the reading itself reports them
