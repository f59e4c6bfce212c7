"""The numbers of a BM25 index: which term scores how much in which document. Knows terms, not texts.

A thin layer over bm25s (Lù 2024, arXiv 2407.03618), which scores at indexing time. The ranking of its scores is ours:
stable by corpus order, documents without a common term left out.
"""

from __future__ import annotations

import hashlib
import json
import logging
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import InputError

_DATA, _INDICES, _INDPTR, _VOCABULARY, _PARAMS = (
    "data.csc.index.npy", "indices.csc.index.npy", "indptr.csc.index.npy", "vocab.index.json", "params.index.json",
)  # fmt: skip
FILES = (_DATA, _INDICES, _INDPTR, _VOCABULARY, _PARAMS)


class Postings:
    """BM25 scores per term and document.

    vocabulary: term -> number. scores: the bm25s object, ``None`` when no document has a term. digest: of everything
    that decides the scores.
    """

    def __init__(self, documents: int, vocabulary: dict[str, int], scores: Any, digest: str) -> None:
        self.documents, self.vocabulary, self._scores, self.digest = documents, vocabulary, scores, digest

    @classmethod
    def build(cls, texts: Iterable[Sequence[str]], *, k1: float, b: float) -> Postings:
        """texts: the terms of each document, in corpus order."""
        vocabulary: dict[str, int] = {}
        hashed = hashlib.sha256(f"lucene k1={k1!r} b={b!r}".encode())
        numbers = []
        for terms in texts:
            numbers.append(array("i", [vocabulary.setdefault(term, len(vocabulary)) for term in terms]))
            hashed.update("\x1f".join(terms).encode("utf-8", "surrogatepass") + b"\x1e")
        scores = None
        if vocabulary:
            scores = _bm25s().BM25(method="lucene", k1=k1, b=b)
            scores.index((numbers, dict(vocabulary)), show_progress=False)
        return cls(len(numbers), vocabulary, scores, hashed.hexdigest()[:16])

    def top(self, terms: Iterable[str], k: int) -> tuple[list[int], list[float]]:
        """Positions and scores of the best ``k`` documents that share a term with the query, best first; ties by
        position."""
        numbers = [self.vocabulary[t] for t in terms if t in self.vocabulary]
        if not numbers or k <= 0:
            return [], []
        scores = self._scores.get_scores_from_ids(numbers)
        found = np.flatnonzero(scores > 0)
        if len(found) > k:  # everything at or above the k-th score, so that the stable sort below decides among ties
            limit = np.partition(scores[found], len(found) - k)[len(found) - k]
            found = found[scores[found] >= limit]
        order = found[np.argsort(-scores[found], kind="stable")][:k]
        return order.tolist(), scores[order].astype(float).tolist()

    def explain(self, terms: Sequence[str], positions: Sequence[int]) -> list[dict[str, float]]:
        """What each term adds to the score of each document; a term that is repeated in the query adds as often."""
        parts: list[dict[str, float]] = [{} for _ in positions]
        for term in dict.fromkeys(terms):
            if term not in self.vocabulary:
                continue
            scores = self._scores.get_scores_from_ids([self.vocabulary[term]]) * terms.count(term)
            for part, position in zip(parts, positions, strict=True):
                if scores[position] > 0:
                    part[term] = float(scores[position])
        return parts

    def save(self, folder: Path) -> None:
        """Write the files into an existing folder; what is there under the same names is overwritten."""
        (folder / "postings.json").write_text(
            json.dumps({"documents": self.documents, "digest": self.digest}), encoding="utf-8"
        )
        if self._scores is not None:
            self._scores.save(folder, show_progress=False)

    @classmethod
    def load(cls, folder: Path) -> Postings:
        """Read what ``save`` wrote; the arrays stay on disk (memory-mapped). Raises InputError when a file is missing
        or damaged."""
        try:
            facts = json.loads((folder / "postings.json").read_text(encoding="utf-8"))
            if not (folder / _DATA).exists() and not (folder / _PARAMS).exists():
                return cls(facts["documents"], {}, None, facts["digest"])
            scores = _load_scores(folder)
            vocabulary = {term: number for term, number in scores.vocab_dict.items() if term}
            ends = scores.scores["indptr"]
            if (
                len(ends) < len(vocabulary) + 1
                or int(ends[-1]) != len(scores.scores["data"])
                or (len(scores.scores["data"]) != len(scores.scores["indices"]))
            ):
                raise InputError(f"{folder}: the arrays of the index do not fit together; build it again")
            return cls(facts["documents"], vocabulary, scores, facts["digest"])
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{folder}: not a readable index ({error}); build it again") from error


def _load_scores(folder: Path) -> Any:
    return _bm25s().BM25.load(folder, mmap=True, show_progress=False)


def _bm25s() -> Any:
    """The package, imported on use (it brings numpy). It sets its logger to DEBUG, which would bypass the user's
    level."""
    import bm25s

    logger = logging.getLogger("bm25s")
    if logger.level == logging.DEBUG:
        logger.setLevel(logging.NOTSET)
    return bm25s
