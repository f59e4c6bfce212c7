"""BM25 with Lucene's formula, k1 = 0.9 and b = 0.4, and an analysis close to Lucene's.

Title and text count as one field. ``1 + ln((N - n + 0.5) / (n + 0.5))``-weighted, saturating in the term frequency,
normalised by length; a term that a query repeats counts each time. Scores mean something within one collection only.
Does not know fields, phrases, synonyms or spelling; unlike Lucene it keeps exact document lengths (Lucene rounds long
ones).

Source: Robertson and Zaragoza 2009, FnTIR 3(4); the variant of Kamphuis et al. 2020, ECIR, table 1, "Lucene
(accurate)"; Anserini's k1, b
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, InputError
from ..core.protocols import Corpus
from ..core.types import Candidate, Document, Query, Ranking, Scale
from ..pipeline import Stage
from ._analysis import VERSION, Analysis, language_name
from ._documents import ById, InMemory, Lines, Store, each, write_lines
from ._postings import Postings

paradigm = "first stage"
FORMAT = 1  # of the saved folder
ENGLISH = ("english", "english-porter")  # the languages of the analysis that the built-in reranker can read
K1, B = 0.9, 0.4  # Anserini's defaults, tuned on MS MARCO passages; Lucene's own are 1.2 and 0.75


@dataclass(frozen=True)
class _Built:
    postings: Postings
    store: Store


class BM25(Stage):
    """A lexical first stage over a list of documents, a collection, or a folder that ``save`` wrote.

    documents: any iterable of Document, or a collection by id. index: instead of documents, a saved folder. language:
    a name or two-letter code of the analysis; "none" for lower case only. k1: term saturation, 0 or more. b: length
    normalisation, 0 to 1. Nothing is indexed before the first query. Raises ConfigError for parameters out of range.

    >>> bm25 = BM25(documents=[Document("a", "the cat sat"), Document("b", "dogs and cats"), Document("c", "birds")])
    >>> [(ranking.ids, ranking.scale.value) for ranking in (bm25 % 10)(["a cat"])]
    [(('a', 'b'), 'lexical')]
    """

    def __init__(
        self,
        *,
        documents: Iterable[Document] | Corpus | None = None,
        index: str | os.PathLike[str] | None = None,
        language: str = "english",
        k1: float = K1,
        b: float = B,
    ) -> None:
        if (documents is None) == (index is None):
            raise ConfigError("BM25 needs either documents=... or index=... (a folder that BM25.save wrote), not both")
        if not k1 >= 0 or not 0 <= b <= 1:
            raise ConfigError(f"k1={k1!r}, b={b!r}: k1 must be 0 or more and b from 0 to 1")
        self.documents, self.index = documents, index
        self.language, self.k1, self.b = language_name(language), k1, b
        self._built: _Built | None = None

    @classmethod
    def over(cls, postings: Postings, store: Store, *, language: str, k1: float, b: float) -> BM25:
        """A first stage over numbers and documents that were made elsewhere (the index on disk of ``search``)."""
        made = cls(documents=(), language=language, k1=k1, b=b)
        made._built = _Built(postings, store)
        return made

    def __repr__(self) -> str:
        what = f"index={str(self.index)!r}" if self.index is not None else "documents=..."
        return f"BM25({what}, language={self.language!r}, k1={self.k1!r}, b={self.b!r})"

    @property
    def digest(self) -> str:
        """Identifies the terms, the formula's parameters and the analysis; builds the index if need be."""
        return f"bm25-{self.language}-{VERSION}-{self._ready().postings.digest}"

    def fit(self) -> BM25:
        """Index now instead of at the first query."""
        self._ready()
        return self

    def __len__(self) -> int:
        return len(self._ready().store)

    def retrieve(self, queries: Sequence[Query], *, k: int) -> list[Ranking]:
        """At most ``k`` documents that share a term with each query, best first; equal scores keep the corpus order."""
        built, analysis = self._ready(), Analysis(self.language)
        return [self._one(query, built, analysis, k) for query in queries]

    def explain(self, query: Query, *, k: int) -> list[dict[str, float]]:
        """For each candidate that ``retrieve`` gives, in its order: the query's terms in it and what each adds to the
        score."""
        built = self._ready()
        terms = Analysis(self.language).terms(query.text)
        return built.postings.explain(terms, built.postings.top(terms, k)[0])

    def _one(self, query: Query, built: _Built, analysis: Analysis, k: int) -> Ranking:
        positions, scores = built.postings.top(analysis.terms(query.text), k)
        found = zip(built.store.take(positions), scores, strict=True)
        candidates = tuple(Candidate(document, score) for document, score in found)
        return Ranking(query, candidates, "retrieved", Scale.LEXICAL)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write index and documents into a folder, whole or not at all; an older index there is replaced.

        Raises InputError when the folder holds something else.
        """
        target = Path(folder)
        if target.exists() and any(target.iterdir()) and not (target / "bm25.json").exists():
            raise InputError(f"{target}: is not empty and holds no BM25 index; give another folder")
        built = self._ready()
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        self._write(built, fresh)
        old = target.with_name(f".{target.name}.{os.getpid()}.old")
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)

    def _write(self, built: _Built, folder: Path) -> None:
        import numpy as np

        starts = write_lines((built.store.take([i])[0] for i in range(len(built.store))), folder / "documents.jsonl")
        np.save(folder / "starts.npy", starts)
        built.postings.save(folder)
        facts = {"format": FORMAT, "analysis": VERSION, "language": self.language, "k1": self.k1, "b": self.b}
        (folder / "bm25.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> BM25:
        """The index that ``save`` wrote, with the language and parameters it was built with.

        Raises InputError when the folder holds no index, a damaged one, or one of another version.
        """
        facts = _facts(Path(folder))
        return cls(index=folder, language=facts["language"], k1=facts["k1"], b=facts["b"])

    def _ready(self) -> _Built:
        if self._built is None:
            self._built = self._read() if self.index is not None else self._build()
        return self._built

    def _build(self) -> _Built:
        documents: Any = self.documents
        ids: list[str] = []
        kept: list[Document] = []
        by_position = isinstance(documents, Sequence)
        by_id = not by_position and hasattr(documents, "__getitem__")
        analysis = Analysis(self.language)

        def texts() -> Iterable[list[str]]:
            for document in each(documents):
                if by_id:
                    ids.append(document.id)
                elif not by_position:
                    kept.append(document)
                yield analysis.terms(document.full_text)

        postings = Postings.build(texts(), k1=self.k1, b=self.b)
        return _Built(postings, ById(ids, documents) if by_id else InMemory(documents if by_position else kept))

    def _read(self) -> _Built:
        import numpy as np

        folder = Path(self.index or "")
        facts = _facts(folder)
        asked = {"language": self.language, "k1": self.k1, "b": self.b}
        for name, value in asked.items():
            if facts[name] != value:
                raise ConfigError(
                    f"{folder}: built with {name}={facts[name]!r}, asked for {value!r}; use BM25.load(folder)"
                )
        try:
            starts = np.load(folder / "starts.npy", mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{folder}: not a readable index ({error}); build it again") from error
        return _Built(Postings.load(folder), Lines(folder / "documents.jsonl", starts))


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads((folder / "bm25.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: holds no BM25 index ({error})") from error
    if facts.get("format") != FORMAT or facts.get("analysis") != VERSION:
        raise InputError(
            f"{folder}: written by another version (format {facts.get('format')}, analysis {facts.get('analysis')}; "
            f"this one needs {FORMAT} and {VERSION}); build it again"
        )
    return facts


def build(
    *,
    documents: Iterable[Document] | Corpus | None = None,
    index: str | os.PathLike[str] | None = None,
    language: str = "english",
    k1: float = K1,
    b: float = B,
) -> BM25:
    """documents: what to search. index: instead, a folder that ``BM25.save`` wrote. language, k1, b: as in ``BM25``."""
    return BM25(documents=documents, index=index, language=language, k1=k1, b=b)
