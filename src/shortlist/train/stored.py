"""Training files as sequences: of our own JSONL only the places of the lines are held, and a ranking is read when it is
its turn. Other dialects and compressed files are read into memory.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import overload

from ..core.errors import InputError
from ..core.types import Query, Ranking
from ..formats import read
from ..formats.jsonl import from_line
from ..formats.lines import Source
from ..formats.reading import fitting
from ..formats.records import is_array
from .leaks import LeakReport, without_leaks


class _Rankings(Sequence[Ranking]):
    """What the sequences here share: one ranking by its number, or several by a slice."""

    def _one(self, number: int) -> Ranking:
        raise NotImplementedError

    @overload
    def __getitem__(self, number: int) -> Ranking: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Ranking]: ...
    def __getitem__(self, number: int | slice) -> Ranking | Sequence[Ranking]:
        places = range(len(self))[number]
        return self._one(places) if isinstance(places, int) else [self._one(i) for i in places]


class Lines(_Rankings):
    """A file of our own dialect; eight bytes of memory per ranking."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places = array("q")
        place = 0
        with path.open("rb") as file:
            for line in file:
                if line.strip():
                    self._places.append(place)
                place += len(line)

    def __len__(self) -> int:
        return len(self._places)

    def _one(self, number: int) -> Ranking:
        with self.path.open("rb") as file:  # anew each time: workers must not share a position
            file.seek(self._places[number])
            return from_line(file.readline().decode("utf-8"))


class Joined(_Rankings):
    """Several sequences one after the other."""

    def __init__(self, parts: Sequence[Sequence[Ranking]]) -> None:
        self.parts = parts
        self._ends = list(accumulate(len(part) for part in parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _one(self, number: int) -> Ranking:
        part = bisect_right(self._ends, number)
        return self.parts[part][number - (self._ends[part - 1] if part else 0)]


class Picked(_Rankings):
    """Some rankings of a sequence, by their numbers."""

    def __init__(self, rankings: Sequence[Ranking], numbers: Sequence[int]) -> None:
        self.rankings, self.numbers = rankings, array("q", numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def _one(self, number: int) -> Ranking:
        return self.rankings[self.numbers[number]]


def stored(path: str | Path) -> Sequence[Ranking]:
    """The rankings of a file. Raises InputError when it is in no format of rankings, or in several; FormatError for a
    malformed line, of our own dialect when it is reached."""
    source = Source(path)
    name = _format(source)
    if name == "shortlist" and not source.is_packed() and not is_array(source):
        return Lines(Path(path))
    return list(read(path, name))


def _format(source: Source) -> str:
    """The format of its rankings. Trainings have no option that names one, so the error does not ask for it."""
    found = fitting(source, "rankings")
    if len(found) == 1:
        return found[0]
    if not source.head().strip():
        what = "the file is empty"
    else:
        what = f"could be {' or '.join(found)}" if found else "holds no rankings in a known format"
    raise InputError(
        f"{source.name}: {what}; a training file holds queries with their documents, as `shortlist mine` and `distil` "
        "write it, and `shortlist convert FILE OUT.jsonl --from FORMAT` makes of others"
    )


def without(rankings: Sequence[Ranking], against: Mapping[str, Sequence[Query]], report: LeakReport) -> Picked:
    """The rankings whose query is none of the evaluation queries, as ``without_leaks``; reads all once."""
    last = -1

    def numbered() -> Iterator[Ranking]:
        nonlocal last
        for last, ranking in enumerate(rankings):  # noqa: B007
            yield ranking

    return Picked(rankings, [last for _ in without_leaks(numbered(), against, report)])
