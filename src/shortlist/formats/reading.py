"""Any known file by name or by guess: which format it is, its rankings, and the reverse.

Guessing asks every dialect; one answer is taken, none or several are an error that lists the names. An error while
reading a guessed format says what was guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike, fspath
from typing import Any, Literal, Protocol, TypeVar, cast

from ..core.errors import ConfigError, FormatError, InputError
from ..core.protocols import Corpus
from ..core.registry import Registry
from ..core.types import Query, Ranking
from .lines import STDIN, Bad, Readable, Source, as_source
from .rows import Grouping, Order
from .sample import Sample, sample
from .spool import regrouped
from .texts import with_texts

T = TypeVar("T")
Kind = Literal["rankings", "qrels", "queries", "corpus"]
OTHERS = "rerank: --format NAME, Python: format=NAME"
FORMATS = Registry("format", "shortlist.formats.dialects", "shortlist.formats")


class Dialect(Protocol):
    """What a module in ``dialects`` has. ``Any`` stands for Ranking, Qrel, Query or Document, by ``kind``."""

    kind: Kind
    holds: frozenset[str]

    def sniff(self, sample: Sample) -> bool: ...
    def read(self, path: Readable, *, bad: Bad | None = None) -> Iterator[Any]: ...
    def write(self, items: Iterable[Any], path: str | PathLike[str], notes: Counter[str]) -> None: ...


def dialect(name: str) -> Dialect:
    """The format of that name; raises UnknownName with the nearest and the known ones."""
    return cast(Dialect, FORMATS.module(name))


def names(kind: Kind | None = None) -> list[str]:
    """Names of all formats, or of those of one kind."""
    return [name for name in FORMATS.names() if kind is None or dialect(name).kind == kind]


def fitting(source: Source, kind: Kind | None = None) -> list[str]:
    """Names of the formats that a file may be in, none or several included."""
    seen = sample(source)
    return [name for name in names(kind) if dialect(name).sniff(seen)]


def detect(path: Readable, *, kind: Kind | None = None) -> str:
    """The name of the format that a file is in. Raises InputError when none or several fit."""
    source = as_source(path)
    found = fitting(source, kind)
    if len(found) == 1:
        return found[0]
    if not source.head().strip():
        raise InputError(
            f"{source.name}: the file is empty; name its format with --from NAME ({OTHERS}) to read nothing"
        )
    what = f"{source.name}: {_shown(source)}"
    if found:
        raise InputError(f"{what} could be {' or '.join(found)}; say which with --from NAME ({OTHERS})")
    known = ", ".join(names(kind))
    raise InputError(f"{what} is in no known format; name one with --from NAME ({OTHERS}): {known}")


def read(
    path: Readable,
    format: str | None = None,
    *,
    queries: Mapping[str, Query] | None = None,
    corpus: Corpus | None = None,
    order: Order | None = None,
    grouped: bool = True,
    depth: int | None = None,
    bad: Bad | None = None,
) -> Iterator[Ranking]:
    """The rankings of a file, streamed: a run, or the JSON of any known project.

    format: a name from ``names("rankings")``; guessed when not given. queries, corpus: texts for files that hold ids
    only. order, grouped: for files with one line per document, as in ``run.read_rankings``. depth: candidates to keep
    per query. Raises FormatError for a malformed line, InputError when the format cannot be told, MissingDocument for
    an unknown id.
    """
    source, bad = as_source(path), bad or Bad()
    name = format or detect(source, kind="rankings")
    chosen = dialect(name)
    if chosen.kind != "rankings":
        raise ConfigError(f"format {name!r} holds {chosen.kind}, not rankings; known: {', '.join(names('rankings'))}")
    rows = getattr(chosen, "rows", None)
    if rows is None:
        found = chosen.read(source, bad=bad)
        if queries is not None or corpus is not None:
            found = with_texts(found, queries, corpus, bad)
        found = (ranking.top(depth) for ranking in found)
    else:
        own: Order = getattr(chosen, "order", "score")
        grouping = Grouping(source.name, queries, corpus, order or own, depth)
        lines = rows(source, bad)
        found = grouping.rankings(lines if grouped else regrouped(lines), bad)
    return explained(found, name, guessed=format is None)


def write(rankings: Iterable[Ranking], path: str | PathLike[str], format: str | None = None) -> Counter[str]:
    """Write rankings; the file appears when it is complete. Returns what had to be changed, with counts.

    format: a name from ``names("rankings")``; by default from the file's ending (.trec and .run: a run; .jsonl: ours,
    lossless).
    """
    name = format or for_writing(path, "rankings")
    notes: Counter[str] = Counter()
    if dialect(name).kind != "rankings":
        raise ConfigError(
            f"format {name!r} holds {dialect(name).kind}, not rankings; known: {', '.join(names('rankings'))}"
        )
    dialect(name).write(rankings, path, notes)
    return +notes


def for_writing(path: str | PathLike[str], kind: Kind) -> str:
    """The format that a file's ending asks for. Raises ConfigError when it asks for none."""
    bare = fspath(path).lower().removesuffix(".gz").removesuffix(".xz")
    for name in names(kind):
        if any(bare.endswith(suffix) for suffix in getattr(dialect(name), "suffixes", ())):
            return name
    where = "standard output" if bare == STDIN else f"the name {fspath(path)!r}"
    raise ConfigError(
        f"{where} does not say which format to write; name one with --to (format=): {', '.join(names(kind))}"
    )


def explained(items: Iterable[T], name: str, *, guessed: bool) -> Iterator[T]:
    """The items; a FormatError on the way says that the format was guessed, if it was."""
    try:
        yield from items
    except FormatError as error:
        if not guessed:
            raise
        problem = f"{error.problem} (read as {name}, which was guessed; name the format with --from or {OTHERS})"
        raise FormatError(error.path, error.line, problem, error.text) from error


def _shown(source: Source) -> str:
    first = source.head()[:200].decode("utf-8", "replace").strip().partition("\n")[0]
    return f"a file that begins with {first[:60]!r}"
