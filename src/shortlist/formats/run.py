"""TREC runs and their relatives: ``qid Q0 docid rank score tag`` and the shorter tables of the field.

Read: six columns (TREC), ``qid docid rank`` (MS MARCO), ``qid docid score`` and ``qid docid rank score`` (Tevatron).
Columns stand apart by white space; when a line has exactly the right number of tabs, only tabs count, so that ids may
hold spaces. trec_eval's view is taken as truth (see ``rows``). Written: always six columns, always strictly
decreasing scores (see ``scores``). Sources: trec_eval 9 get_trec_results.c; MS MARCO passage ranking README; Tevatron
examples (read_result).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Literal, get_args

from ..core.errors import ConfigError, InputError
from ..core.protocols import Corpus
from ..core.types import Query, Ranking
from .atomic import atomic_text
from .lines import Bad, Readable, Source, as_source, not_utf8, raw_lines
from .rows import Grouping, Order, Row
from .scores import FILLED, NUDGED, REPLACED, decreasing
from .spool import regrouped

Columns = Literal["trec", "rank", "score", "rank-score"]
"""trec: six; rank: qid docid rank; score: qid docid score; rank-score: qid docid rank score."""
WIDTH: dict[Columns, int] = {"trec": 6, "rank": 3, "score": 3, "rank-score": 4}
RunRow = tuple[str, str, float | None, int | None, str]
"""(query id, document id, score, rank as the file counts, tag); ``None`` where there is no such column."""

_QUERY, _DOC = "query id", "document id"


def iter_run(path: Readable, *, columns: Columns | None = None, bad: Bad | None = None) -> Iterator[RunRow]:
    """The lines of a run in file order, one at a time: (query id, document id, score, rank, tag).

    columns: which table it is; guessed from the first lines when not given. Raises FormatError for a malformed line.
    """
    for row in iter_rows(path, columns=columns, bad=bad):
        yield row.query_id, row.doc_id, row.score, row.rank, row.tag


def iter_rows(path: Readable, *, columns: Columns | None = None, bad: Bad | None = None) -> Iterator[Row]:
    """As ``iter_run``, with line numbers."""
    source, bad = as_source(path), bad or Bad()
    layout = columns or guess_columns(source)
    if layout not in get_args(Columns):
        raise ConfigError(f"no run table {columns!r}; known: {', '.join(get_args(Columns))}")
    for number, raw in raw_lines(source):
        if not raw.strip():
            continue
        try:
            yield _trec_row(number, raw) if layout == "trec" else _row(number, raw, layout)
        except UnicodeDecodeError as error:
            bad.line(source.name, number, *not_utf8(raw, error))
        except ValueError as error:
            bad.line(source.name, number, str(error), raw.decode("utf-8", "backslashreplace"))


def read_rankings(
    path: Readable,
    *,
    queries: Mapping[str, Query] | None = None,
    corpus: Corpus | None = None,
    order: Order = "score",
    grouped: bool = True,
    depth: int | None = None,
    columns: Columns | None = None,
    bad: Bad | None = None,
) -> Iterator[Ranking]:
    """One ranking per query, streamed: memory holds one query's lines (and the ids of the queries seen).

    queries, corpus: where the texts come from; without them they are empty. An id they lack raises MissingDocument.
    order: ``score`` is trec_eval's (ties counted in ``bad.noticed``); files without scores go by rank.
    grouped: False for a file whose queries are not contiguous; it is regrouped on disk, in order of first appearance.
    depth: keep this many documents per query. Raises FormatError for malformed lines and documents listed twice.
    """
    source, bad = as_source(path), bad or Bad()
    grouping = Grouping(source.name, queries, corpus, order, depth)
    rows = iter_rows(source, columns=columns, bad=bad)
    return grouping.rankings(rows if grouped else regrouped(rows), bad)


@dataclass
class RunReport:
    """What ``write_run`` wrote and what it had to do to the scores so that trec_eval keeps the order.

    nudged: scores moved down by the smallest step of a 32-bit float, because they equalled the one before.
    filled: documents without a score after documents with one; they continue downwards in steps of 1.
    replaced: queries whose scores were not descending or not finite; they got n, n-1, ..., 1.
    """

    queries: int = 0
    lines: int = 0
    empty: int = 0
    nudged: int = 0
    filled: int = 0
    replaced: int = 0

    def note(self, notes: Counter[str]) -> None:
        """Add what was done to ``notes``, one key per kind."""
        notes[NUDGED] += self.nudged
        notes[FILLED] += self.filled
        notes[REPLACED] += self.replaced
        notes["queries without candidates have no line"] += self.empty


def write_run(rankings: Iterable[Ranking], path: str | PathLike[str], *, tag: str = "shortlist") -> RunReport:
    """Write a TREC run; the file appears when it is complete. ``"-"`` is standard output.

    Raises InputError for an id with white space (no TREC file can hold it) and for a query that comes twice.
    """
    if not tag or tag.split() != [tag]:
        raise ConfigError(f"run tag {tag!r} is empty or holds white space; a TREC file cannot hold it")
    report, seen = RunReport(), set[str]()
    with atomic_text(path) as out:
        for ranking in rankings:
            query_id = writable(ranking.query.id, "query id")
            if query_id in seen:
                raise InputError(f"query {query_id!r} comes twice; a run holds one ranking per query")
            seen.add(query_id)
            out.writelines(run_lines(ranking, tag=tag, report=report))
    return report


def run_lines(ranking: Ranking, *, tag: str = "shortlist", report: RunReport | None = None) -> Iterator[str]:
    """The lines of one ranking, each with its line end; counts into ``report``."""
    report = RunReport() if report is None else report
    written = decreasing([c.score for c in ranking.candidates])
    report.queries += 1
    report.lines += len(ranking.candidates)
    report.empty += not ranking.candidates
    report.nudged += written.nudged
    report.filled += written.filled
    report.replaced += written.replaced
    for rank, (candidate, score) in enumerate(zip(ranking.candidates, written.scores, strict=True), 1):
        doc_id = writable(candidate.id, "document id", ranking.query.id)
        yield f"{ranking.query.id} Q0 {doc_id} {rank} {score!r} {tag}\n"


def writable(value: str, what: str, query_id: str | None = None) -> str:
    """``value`` if a TREC file can hold it; raises InputError for white space, the empty id and lone surrogates."""
    if value and not any(c in value for c in " \t\n\r\f\v"):
        try:
            value.encode()
        except UnicodeEncodeError:
            pass
        else:
            return value
    of = f" of query {query_id!r}" if query_id is not None else ""
    why = "holds white space" if value.split() != [value] and value else "cannot be encoded" if value else "is empty"
    raise InputError(f"{what} {value!r}{of} {why}; a TREC file cannot hold it: write JSONL instead")


def guess_columns(source: Source) -> Columns:
    """Which table a run is, from its first lines. Three columns are ranks when they count 1, 2, 3 (or 0, 1, 2) per
    query."""
    rows = [split_columns(raw) for raw in source.head().splitlines()[:2000] if raw.strip()]
    widths = {len(row) for row in rows}
    if widths == {4}:
        return "rank-score"
    if widths != {3}:
        return "trec"
    expected: dict[bytes, set[bytes]] = {}
    for query_id, _, value in rows:
        allowed = expected.get(query_id, {b"0", b"1"})
        if value not in allowed:
            return "score"
        expected[query_id] = {b"%d" % (int(value) + 1)}
    return "rank"


def split_columns(raw: bytes, width: int | None = None) -> list[bytes]:
    """By tabs when that gives ``width`` columns (or 3, 4 or 6), otherwise by ASCII white space, as C's isspace has
    it."""
    if b"\t" in raw:
        parts = [part.strip(b" ") for part in raw.split(b"\t")]
        if len(parts) == width or (width is None and len(parts) in (3, 4, 6)):
            return parts
    return raw.split()


def _trec_row(number: int, raw: bytes) -> Row:
    """A well-formed TREC line without detours, as there are millions; ``_row`` says what is wrong with others."""
    parts = split_columns(raw, 6) if b"\t" in raw else raw.split()
    if len(parts) == 6 and parts[0] and parts[2] and b"_" not in parts[4]:
        try:
            rank, score = int(parts[3]), float(parts[4])
        except ValueError:
            return _row(number, raw, "trec")
        if math.isfinite(score):
            return Row(number, parts[0].decode(), parts[2].decode(), rank, score, parts[5].decode())
    return _row(number, raw, "trec")


def _row(number: int, raw: bytes, columns: Columns) -> Row:
    parts = split_columns(raw, WIDTH[columns])
    if len(parts) != WIDTH[columns]:
        raise ValueError(f"expected {WIDTH[columns]} columns ({_NAMES[columns]}), found {len(parts)}")
    if columns == "trec":
        rank, score, tag = parts[3:]
        return Row(number, _id(parts[0], _QUERY), _id(parts[2], _DOC), _int(rank), _float(score), tag.decode())
    query_id, doc_id = _id(parts[0], _QUERY), _id(parts[1], _DOC)
    if columns == "rank":
        return Row(number, query_id, doc_id, _int(parts[2]), None, "")
    if columns == "score":
        return Row(number, query_id, doc_id, None, _float(parts[2]), "")
    return Row(number, query_id, doc_id, _int(parts[2]), _float(parts[3]), "")


_NAMES: dict[Columns, str] = {
    "trec": "qid Q0 docid rank score tag",
    "rank": "qid docid rank",
    "score": "qid docid score",
    "rank-score": "qid docid rank score",
}


def _id(raw: bytes, what: str) -> str:
    if not raw:
        raise ValueError(f"the {what} is empty")
    return raw.decode()


def _int(raw: bytes) -> int:
    try:
        return int(raw)
    except ValueError:
        raise ValueError(f"rank {raw.decode('utf-8', 'backslashreplace')!r} is not a whole number") from None


def _float(raw: bytes) -> float:
    try:
        value = float(raw) if b"_" not in raw else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"score {raw.decode('utf-8', 'backslashreplace')!r} is not a finite number")
    return value
