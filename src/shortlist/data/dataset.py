"""A folder with queries, judgements, documents and a first stage, as BEIR lays them out (FlagEmbedding's names are
known too).

``corpus.jsonl``, ``queries.jsonl`` (or ``<split>_queries.jsonl``), ``qrels/<split>.tsv`` (or
``<split>_qrels.jsonl``), ``*.trec``; each may be compressed, and each may be absent: what is absent is an error only
when it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path

from ..core.errors import InputError, UnknownName
from ..core.types import Qrel, Query, Ranking
from ..formats.lines import Bad
from ..formats.qrels import read_qrels
from ..formats.queries import by_id, read_queries
from ..formats.run import read_rankings
from .collection import Collection

PACKED = r"(?:\.gz|\.xz)?$"
FIRST_STAGES = ("bm25", "candidates")


@dataclass(frozen=True)
class Dataset:
    """What lies in one folder. ``cache`` is where the corpus may keep its index (see Collection).

    Everything is read when it is first used.
    """

    folder: Path
    cache: str | PathLike[str] | None = None

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @cached_property
    def corpus(self) -> Collection:
        """The documents by id."""
        return Collection(
            self._one(r"(?:corpus|collection|documents)\.(?:jsonl|json|tsv|csv)", "corpus.jsonl"), self.cache
        )

    @cached_property
    def queries(self) -> dict[str, Query]:
        """All queries by id, in file order, judged or not."""
        return by_id(
            read_queries(self._one(r"(?:.+_)?(?:queries|topics)\.(?:jsonl|json|tsv|csv|txt)", "queries.jsonl"))
        )

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """Names of the judgement files, sorted; empty when there are none."""
        return tuple(sorted(self._qrels_files()))

    @property
    def split(self) -> str:
        """The split that is used when none is named: ``test``, else ``dev``, else the only or first one."""
        known = self.splits
        if not known:
            raise InputError(f"{self.folder} holds no judgements (expected qrels/test.tsv)")
        return next((name for name in ("test", "dev") if name in known), known[0])

    def qrels_path(self, split: str | None = None) -> Path:
        """The file of a split's judgements. Raises UnknownName for a split that is not there."""
        split = split or self.split
        if split not in self.splits:
            raise UnknownName(f"split in {self.folder}", split, self.splits)
        return self._qrels_files()[split]

    def qrels(self, split: str | None = None, *, bad: Bad | None = None) -> list[Qrel]:
        """The judgements of a split. Raises UnknownName for a split that is not there."""
        return read_qrels(self.qrels_path(split), bad=bad)

    def judged(self, split: str | None = None) -> dict[str, Query]:
        """The queries that have a judgement in the split, in file order."""
        wanted = {qrel.query_id for qrel in self.qrels(split)}
        return {query_id: query for query_id, query in self.queries.items() if query_id in wanted}

    @cached_property
    def first_stages(self) -> tuple[str, ...]:
        """Names of the run files, ``bm25`` before ``candidates`` before others. A run with a manifest beside it is what
        a reranker made here (``shortlist demo``), so it is none."""
        found = [name for name, path in self._run_files().items() if not Path(f"{path}.manifest.json").exists()]
        return (*(n for n in FIRST_STAGES if n in found), *sorted(set(found) - set(FIRST_STAGES)))

    def run_path(self, name: str | None = None) -> Path:
        """The file of a run, by default of the first of ``first_stages``. Raises InputError when there is none."""
        if name is None and not self.first_stages:
            raise InputError(f"{self.folder} holds no first stage (expected bm25.trec)")
        name, found = name or self.first_stages[0], self._run_files()
        if name not in found:
            raise UnknownName(f"run in {self.folder}", name, tuple(found))
        return found[name]

    def rankings(
        self, name: str | None = None, *, depth: int | None = None, bad: Bad | None = None
    ) -> Iterator[Ranking]:
        """The first stage's rankings with the texts of queries and documents, streamed."""
        return read_rankings(self.run_path(name), queries=self.queries, corpus=self.corpus, depth=depth, bad=bad)

    def _run_files(self) -> dict[str, Path]:
        return self._named(self.folder, r"(.+)\.(?:trec|run)")

    def _qrels_files(self) -> dict[str, Path]:
        found = self._named(self.folder, r"(.+)_qrels\.(?:jsonl|tsv|txt)")
        if not found:
            single = self._named(self.folder, r"(qrels)(?:\.(?:jsonl|tsv|txt|trec))?")
            found = {"test": single["qrels"]} if single else {}
        inner = self._named(self.folder / "qrels", r"(.+)\.(?:tsv|jsonl|txt|qrels|trec)")
        return {**found, **{n: p for n, p in inner.items() if not n.startswith("raw_")}}

    def _one(self, pattern: str, expected: str) -> Path:
        found = [p for p in sorted(self.folder.iterdir()) if re.fullmatch(pattern + PACKED, p.name)]
        if not found:
            raise InputError(f"{self.folder} holds no {expected}")
        if len(found) > 1 and not any(p.name.startswith(expected) for p in found):
            raise InputError(
                f"{self.folder} holds {', '.join(p.name for p in found)}; keep one, or read one by its own path"
            )
        return next((p for p in found if p.name.startswith(expected)), found[0])

    @staticmethod
    def _named(folder: Path, pattern: str) -> dict[str, Path]:
        if not folder.is_dir():
            return {}
        matches = [(re.fullmatch(pattern + PACKED, p.name), p) for p in sorted(folder.iterdir())]
        return {match[1]: path for match, path in matches if match and path.is_file()}


def load_dataset(folder: str | PathLike[str], *, cache: str | PathLike[str] | None = None) -> Dataset:
    """The data set in a folder. Raises InputError when there is no such folder or it holds neither corpus nor
    queries."""
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"{folder}: no such folder")
    dataset = Dataset(path, cache)
    names = [p.name for p in path.iterdir()]
    if not any(re.match(r"(?:.+_)?(?:corpus|collection|documents|queries|topics)\.", name) for name in names):
        raise InputError(f"{folder} is no data set: expected corpus.jsonl, queries.jsonl and qrels/<split>.tsv")
    return dataset
