"""Training samples that are evaluation questions: left out, and counted.

Two queries are the same when they agree in letters and digits, so case, punctuation and blanks do not hide one. It
does not find paraphrases.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import tee

from ..core.errors import InputError
from ..core.types import Query, Ranking

_WORD = re.compile(r"\w+")


@dataclass
class LeakReport:
    """What was left out, filled while the samples are read. found: name of the set -> how many of its queries.

    examples: up to ten (training query, set, evaluation query).
    """

    found: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.found.total()

    def add(self, other: LeakReport) -> None:
        """Take in what was found elsewhere."""
        self.found += other.found
        self.examples = (self.examples + other.examples)[:10]

    def lines(self) -> list[str]:
        """For people, one set per line."""
        return [f"{n} training queries left out: they are queries of {name}" for name, n in sorted(self.found.items())]


def without_leaks(
    rankings: Iterable[Ranking], against: Mapping[str, Iterable[Query]], report: LeakReport
) -> Iterator[Ranking]:
    """The rankings whose query is none of the evaluation queries. against: name of the set -> its queries."""
    known = {same(query.text): (name, query.id) for name, queries in against.items() for query in queries}
    known.pop("", None)
    for ranking in rankings:
        found = known.get(same(ranking.query.text))
        if found is None:
            yield ranking
            continue
        name, query_id = found
        report.found[name] += 1
        if len(report.examples) < 10:
            report.examples.append((ranking.query.id, name, query_id))


def not_all(rankings: Iterable[Ranking], against: Mapping[str, Iterable[Query]]) -> Iterator[Ranking]:
    """The same rankings, read on until one is not an evaluation question. Raises InputError when all are."""
    kept, ahead = tee(rankings)
    report = LeakReport()
    if next(without_leaks(ahead, against, report), None) is None and report.count:
        raise InputError(all_asked(report))
    return kept


def all_asked(report: LeakReport) -> str:
    """What is said when nothing is left to train on."""
    of = ", ".join(f"{name} ({n})" if len(report.found) > 1 else name for name, n in sorted(report.found.items()))
    return (
        f"all {report.count} training queries are queries of {of}, which is kept apart to measure on; give other "
        "training data, or another set to measure on"
    )


def same(text: str) -> str:
    """What two spellings of one query have in common.

    >>> same("What is  a re-ranker?") == same("what is a re ranker")
    True
    """
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
