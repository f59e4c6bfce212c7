"""MTEB's predictions: ``{"mteb_model_meta": {...}, "<subset>": {"<split>": {"<qid>": {"<docid>": score}}}}``.

One JSON object, so it is read whole. A file with several subsets or splits is refused with their names: cut it first.
Source: embeddings-benchmark/mteb, ``<Task>_predictions.json``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any

from ...core.errors import FormatError
from ...core.types import Candidate, Document, Query, Ranking
from ..atomic import atomic_text
from ..lines import Bad, Readable, as_source, without_mark
from ..records import as_object, dump, number
from ..rows import trec_order
from ..sample import Sample
from ..scores import decreasing

kind = "rankings"
holds = frozenset({"order", "query ids", "document ids", "scores"})
META = "mteb_model_meta"


def sniff(sample: Sample) -> bool:
    """The block about the model, or the file name, as the object may be too long to decode its beginning."""
    return sample.has(META) or sample.name.endswith("_predictions.json")


def read(path: Readable, *, bad: Bad | None = None) -> Iterator[Ranking]:
    """One ranking per query, by score, ties as in trec_eval."""
    source, bad = as_source(path), bad or Bad()
    with source.open() as stream:
        raw = stream.read()
    try:
        content = json.loads(without_mark(source.name, raw).decode())
        queries = _only_split(as_object(content))
    except json.JSONDecodeError as error:
        raise FormatError(source.name, error.lineno, f"not JSON ({error.msg})") from error
    except ValueError as error:
        raise FormatError(source.name, 1, str(error)) from error
    for query_id, scored in queries.items():
        try:
            yield _ranking(query_id, as_object(scored, f"an object for query {query_id!r}"))
        except ValueError as error:
            bad.line(source.name, 1, str(error))


def write(rankings: Iterable[Ranking], path: str | PathLike[str], notes: Counter[str]) -> None:
    """Subset ``default``, split ``test``; scores strictly decreasing, as the order is theirs."""
    with atomic_text(path) as out:
        meta = dump({"model_name": "shortlist", "revision": None})
        out.write(f'{{"{META}": {meta}, "default": {{"test": {{')
        for i, ranking in enumerate(rankings):
            written = decreasing([c.score for c in ranking.candidates])
            written.note(notes)
            scored = dict(zip(ranking.ids, written.scores, strict=True))
            out.write((",\n" if i else "\n") + f"{dump(ranking.query.id)}: {dump(scored)}")
        out.write("\n}}}\n")


def _only_split(content: dict[str, Any]) -> dict[str, Any]:
    found = {
        f"{subset}/{split}": queries
        for subset, splits in content.items()
        if subset != META
        for split, queries in as_object(splits, f"an object of splits under {subset!r}").items()
    }
    if len(found) != 1:
        raise ValueError(f"expected one subset and split, found {', '.join(found) or 'none'}; keep one of them")
    (only,) = found.values()
    return as_object(only, "an object of queries")


def _ranking(query_id: str, scored: dict[str, Any]) -> Ranking:
    pairs = [(number(score, f"score of document {doc_id!r}"), doc_id) for doc_id, score in scored.items()]
    ranked = [pairs[i] for i in trec_order(pairs)]
    return Ranking(Query(query_id, ""), tuple(Candidate(Document(doc_id, ""), score) for score, doc_id in ranked))
