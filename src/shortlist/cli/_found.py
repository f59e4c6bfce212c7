"""What `search` prints: results as text and as JSON records."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TextIO

from ..core.types import Candidate, Ranking
from ..data.ingest.place import place

if TYPE_CHECKING:
    from ..retrieve._index import Index
    from ..retrieve._search import Found, Searcher
    from ..retrieve._snippet import Snippet

SHOWN_PROBLEMS = 5
_PLACE_KEYS = ("file", "line", "page", "last_page", "heading", "start", "end", "passage", "passages")


def print_report(index: Index, seconds: float, stream: TextIO) -> None:
    """One line about the index, and what was left out or noted."""
    report, files = index.report, index.manifest.files
    done = f"{len(report.read)} read now, {report.kept} unchanged"
    removed = f", {len(report.removed)} gone" if report.removed else ""
    print(f"{len(files)} files, {index.manifest.passages:,} passages ({done}{removed}; {seconds:.2f} s)", file=stream)
    left_out = [str(s) for s in report.skipped]
    for line in left_out[:SHOWN_PROBLEMS]:
        print(f"left out: {line}", file=stream)
    more = max(0, len(left_out) - SHOWN_PROBLEMS) + report.unlisted
    if more:
        print(f"left out: {more} more (--json lists them)", file=stream)
    for note in report.notes[:SHOWN_PROBLEMS]:
        print(f"note: {note}", file=stream)
    if len(report.notes) > SHOWN_PROBLEMS:
        print(f"note: {len(report.notes) - SHOWN_PROBLEMS} more (--json lists them)", file=stream)


def print_found(found: Found, searcher: Searcher, method: str | None, stream: TextIO) -> None:
    """The results of one query."""
    from ..retrieve._analysis import Analysis
    from ..retrieve._snippet import snippet

    ranking, bold = found.ranking, _bold(stream)
    analysis = Analysis(searcher.index.manifest.settings.language)
    terms = frozenset(analysis.terms(ranking.query.text))
    _line(f"\n{bold[0]}{ranking.query.text}{bold[1]}", stream)
    if not ranking.candidates:
        _line("  nothing found: no passage has a word of this query", stream)
    else:
        _line(
            f"  {len(ranking.candidates)} of {len(found.first.candidates)} candidates, {_scored(ranking, method)}",
            stream,
        )
    for number, candidate in enumerate(ranking.candidates, 1):
        score = "-" if candidate.score is None else f"{candidate.score:.3f}"
        moved = f"  {movement(candidate, number - 1)}" if candidate.first_rank is not None else ""
        document = candidate.document
        title = f"  {document.title}" if document.title and document.title != document.metadata.get("heading") else ""
        _line(f"{number:3d}  {score}{moved}  {place(document.metadata)}  [{document.id}]{title}", stream)
        _line(f"     {_shown(snippet(document.text or document.full_text, terms, analysis), bold)}", stream)
        if found.explained:
            _line(f"     {_explained(found, candidate)}", stream)
    _line(f"  {_times(found, searcher)}", stream)
    if found.explained and ranking.repairs:
        _line(f"  repairs: {', '.join(f'{kind} {n}' for kind, n in ranking.repairs.items())}", stream)


def movement(candidate: Candidate, position: int) -> str:
    """How far a candidate moved against the first stage; ranks from 1.

    >>> from shortlist.core.types import Document
    >>> movement(Candidate(Document("d", ""), first_rank=8), 1)
    'up 7 from 9'
    """
    before = candidate.first_rank
    if before is None:
        return ""
    if before == position:
        return "same"
    way = "up" if before > position else "down"
    return f"{way} {abs(before - position)} from {before + 1}"


def record(found: Found, searcher: Searcher, method: str | None) -> dict[str, Any]:
    """Everything about one query's results as plain data; ranks count from 1."""
    index, ranking = searcher.index, found.ranking
    by_id = dict(zip(found.first.ids, found.explained, strict=False))
    return {
        "query": {"id": ranking.query.id, "text": ranking.query.text},
        "results": [_result(c, n, by_id) for n, c in enumerate(ranking.candidates, 1)],
        "candidates": len(found.first.candidates),
        "reranker": method,
        "scale": str(ranking.scale),
        "status": ranking.status,
        "reason": ranking.reason,
        "repairs": dict(ranking.repairs),
        "seconds": {k: round(v, 6) for k, v in {**searcher.seconds, **found.seconds}.items()},
        "index": {
            "folder": str(index.folder),
            "digest": index.manifest.digest,
            "language": index.manifest.settings.language,
            "files": len(index.manifest.files),
            "passages": index.manifest.passages,
            "read": list(index.report.read),
            "unchanged": index.report.kept,
            "removed": list(index.report.removed),
            "rebuilt": index.report.rebuilt,
            "left_out": [{"path": s.path, "line": s.line, "reason": s.reason} for s in index.report.skipped],
            "left_out_unlisted": index.report.unlisted,
            "notes": list(index.report.notes),
        },
    }


def _result(candidate: Candidate, rank: int, explained: dict[str, Any]) -> dict[str, Any]:
    document, metadata = candidate.document, candidate.document.metadata
    result: dict[str, Any] = {
        "rank": rank,
        "id": document.id,
        "doc_id": metadata.get("doc_id", document.id),
        "score": candidate.score,
        "first_rank": None if candidate.first_rank is None else candidate.first_rank + 1,
        "first_score": candidate.first_score,
        "place": place(metadata),
        **{key: metadata[key] for key in _PLACE_KEYS if key in metadata},
        "title": document.title,
        "text": document.text,
    }
    for key in ("fields", "ranked_passages"):
        if key in metadata:
            result[key] = metadata[key]
    if document.id in explained:
        result["first_stage_terms"] = explained[document.id]
    return result


def _scored(ranking: Ranking, method: str | None) -> str:
    by = f"reranked by {method}" if method else "BM25 only"
    state = "" if ranking.status in ("retrieved", "ranked") else f", {ranking.status}: {ranking.reason}"
    return f"{by}, scores are {ranking.scale}{state}"


def _shown(found: Snippet, bold: tuple[str, str]) -> str:
    return found.marked(bold[0] or "*", bold[1] or "*")


def _explained(found: Found, candidate: Candidate) -> str:
    parts = dict(zip(found.first.ids, found.explained, strict=True)).get(candidate.id, {})
    return "first stage: " + (" + ".join(f"{term} {score:.2f}" for term, score in parts.items()) or "-")


def _times(found: Found, searcher: Searcher) -> str:
    seconds = {**searcher.seconds, **found.seconds}
    shown = f"seconds: index {seconds['index']:.2f}, first stage {seconds['first_stage']:.3f}"
    if "rerank" in seconds:
        shown += f", load model {seconds['load']:.2f}, rerank {seconds['rerank']:.3f}"
        shown += f" (encoding {seconds['encode']:.3f})"
    return shown


def _bold(stream: TextIO) -> tuple[str, str]:
    plain = not stream.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return ("", "") if plain else ("\x1b[1m", "\x1b[0m")


def _line(text: str, stream: TextIO) -> None:
    """Print, whatever the terminal's encoding: what it cannot show is shown as an escape."""
    encoding = stream.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)
