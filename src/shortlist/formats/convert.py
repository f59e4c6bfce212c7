"""One file into another format, with a report of what is lost on the way.

Rankings, queries, documents and judgements convert among the formats of their kind. Rankings also give queries,
documents or judgements, and judgements (with queries and a collection) give rankings, which is how training files are
made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from typing import Any

from ..core.errors import ConfigError, InputError
from ..core.protocols import Corpus
from ..core.types import Document, Qrel, Query, Ranking
from .features import counted, losses, of_document, of_query, of_ranking
from .graded import from_qrels, grades, to_qrels, with_grades
from .lines import Bad, Readable, as_source
from .reading import Dialect, Kind, detect, dialect, explained, for_writing, read

UNIT: dict[Kind, str] = {"rankings": "rankings", "qrels": "judgements", "queries": "queries", "corpus": "documents"}


@dataclass(frozen=True, slots=True)
class Report:
    """What a conversion did. ``lost``: what the target cannot hold. ``notes``: what was changed. ``skipped``:
    malformed lines."""

    source: str
    target: str
    source_format: str
    target_format: str
    written: int
    unit: str
    lost: tuple[str, ...]
    notes: tuple[str, ...]
    skipped: int
    examples: tuple[str, ...]

    def lines(self) -> list[str]:
        """The report for people, one thing per line."""
        said = [
            f"{self.source} ({self.source_format}) -> {self.target} ({self.target_format}): {self.written} {self.unit}"
        ]
        said += [f"lost: {what}" for what in self.lost] or ["lost: nothing"]
        said += [f"note: {what}" for what in self.notes]
        if self.skipped:
            said += [f"skipped: {self.skipped} malformed lines, the first:", *(f"  {line}" for line in self.examples)]
        return said

    def as_dict(self) -> dict[str, Any]:
        """The report for machines."""
        return asdict(self)


def convert(
    source: Readable,
    target: str | PathLike[str],
    source_format: str | None = None,
    target_format: str | None = None,
    *,
    queries: Mapping[str, Query] | None = None,
    corpus: Corpus | None = None,
    qrels: Iterable[Qrel] = (),
    grouped: bool = True,
    bad: Bad | None = None,
) -> Report:
    """Read ``source``, write ``target``, report what is lost. Formats are guessed (from content; from the ending) when
    not named.

    queries, corpus: texts for files that hold ids only. qrels: judgements that training files need.
    grouped: False for a run whose queries are not contiguous. Raises ConfigError for kinds that do not become each
    other.
    """
    opened, bad = as_source(source), bad or Bad()
    name = source_format or _detected(opened, target_format)
    there = dialect(name)
    wanted = target_format or for_writing(target, there.kind)
    here = dialect(wanted)
    items: Iterator[Any]
    if there.kind == "rankings":
        items = read(opened, name, queries=queries, corpus=corpus, grouped=grouped, bad=bad)
        judged = grades(qrels)
        items = with_grades(items, judged) if judged else items
    else:
        items = there.read(opened, bad=bad)
    items = explained(items, name, guessed=source_format is None)
    if there.kind == "qrels" and here.kind == "rankings":
        items = from_qrels(items, queries, corpus)
    present: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    seen = counted(items, _features("rankings" if here.kind == "rankings" else there.kind, here), present)
    here.write(_tallied(_turned(seen, there.kind, here.kind, (name, wanted)), notes), target, notes)
    return _report((opened.name, str(target), name, wanted), here, losses(present, here.holds), notes, bad)


def _report(names: tuple[str, str, str, str], here: Dialect, lost: list[str], notes: Counter[str], bad: Bad) -> Report:
    """The report from what was counted; fields that a reader had no place for are losses too."""
    written = notes.pop(_WRITTEN, 0)
    unread = {what: count for what, count in bad.noticed.items() if what.endswith(" not read")}
    lost = lost + [f"{what}: {count} times" for what, count in unread.items()]
    changed = {**+notes, **{what: n for what, n in bad.noticed.items() if what not in unread and n}}
    said = tuple(f"{count} {what}" for what, count in changed.items())
    return Report(*names, written, UNIT[here.kind], tuple(lost), said, bad.count, tuple(bad.examples))


_WRITTEN = "written"


def _detected(source: Any, target_format: str | None) -> str:
    """The source's format; when several kinds fit, the one of the target."""
    try:
        return detect(source)
    except InputError:
        if target_format is None:
            raise
        return detect(source, kind=dialect(target_format).kind)


def _features(kind: Kind, target: Dialect) -> Callable[[Any], Counter[str]]:
    keeps: frozenset[str] = getattr(target, "keeps", frozenset())
    if kind == "rankings":
        return lambda ranking: of_ranking(ranking, keeps)
    if kind == "corpus":
        return lambda document: of_document(document, keeps)
    if kind == "queries":
        return of_query
    return lambda qrel: Counter({"query ids": 1, "document ids": 1, "grades": 1})


def _turned(items: Iterator[Any], source: Kind, target: Kind, named: tuple[str, str]) -> Iterator[Any]:
    if source == target or (source, target) == ("qrels", "rankings"):
        return items
    if source != "rankings":
        raise ConfigError(f"{named[0]} holds {source} and {named[1]} holds {target}; only rankings become other kinds")
    if target == "qrels":
        return to_qrels(items)
    return _distinct_queries(items) if target == "queries" else _distinct_documents(items)


def _distinct_queries(rankings: Iterable[Ranking]) -> Iterator[Query]:
    seen: dict[str, Query] = {}
    for ranking in rankings:
        known = seen.setdefault(ranking.query.id, ranking.query)
        if known is ranking.query:
            yield known
        elif known != ranking.query:
            raise InputError(f"query {known.id!r} has two texts: {known.text[:60]!r} and {ranking.query.text[:60]!r}")


def _distinct_documents(rankings: Iterable[Ranking]) -> Iterator[Document]:
    seen: dict[str, int] = {}  # a hash of the text is enough to notice a second, different one
    for ranking in rankings:
        for document in ranking.documents:
            content = hash((document.title, document.text))
            if document.id not in seen:
                seen[document.id] = content
                yield document
            elif seen[document.id] != content:
                raise InputError(f"document {document.id!r} has two texts; one is {document.text[:60]!r}")


def _tallied(items: Iterable[Any], notes: Counter[str]) -> Iterator[Any]:
    for item in items:
        notes[_WRITTEN] += 1
        yield item
