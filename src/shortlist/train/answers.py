"""A teacher's trace as a training set: what it was asked, and what it answered, word for word.

A reranker's ranking holds every call (``Ranking.trace``): the documents in the order in which the model saw them, its
text (with its thought, where the backend returns one) and what had to be mended. ``Answers`` turns that into samples
from which ``students.SFT`` learns with ``Grouping(answered=True)``: an answer about several documents is a sample of
its own, answers about single documents stay together. Source of the filter by nDCG: ReasonRank (arXiv 2508.07050).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..core.errors import ConfigError
from ..core.types import MISSING, Call, Candidate, Query, Ranking
from ..formats.features import grade_of
from ..measures import grade
from ..measures.gains import ndcg

HARMLESS = frozenset(
    {"passage_cut", "query_cut", "segment_cut", "instruction_ignored", "request_retried", "retried", "stripped_fence"}
)
"""Repairs of a prompt or of a connection, and of form: they say nothing against the answer that came back."""


@dataclass(frozen=True)
class Answers:
    """Which answers become samples.

    repaired: also those that had to be mended to be read; a student learns the mistake with them. least_ndcg: those
    whose order of the judged documents has at least this nDCG@10 (ReasonRank: .4); answers about single documents, and
    queries without a relevant document, are not judged by it.
    """

    repaired: bool = False
    least_ndcg: float | None = None

    def __post_init__(self) -> None:
        if self.least_ndcg is not None and not 0 <= self.least_ndcg <= 1:
            raise ConfigError(f"least_ndcg={self.least_ndcg}: expected 0 to 1, or None")

    def samples(self, ranking: Ranking, counts: Counter[str] | None = None) -> Iterator[Ranking]:
        """The ranking as samples with their answers, none if it has no usable one.

        An answer about several documents gives a ranking of these, best first as the answer says, whose ``first_rank``
        is the place at which it saw them. counts: ``kept`` and the reasons for which others were not, added up.
        """
        seen: Counter[str] = Counter() if counts is None else counts
        kept = []
        for call in ranking.trace:
            if call.group:
                why = self._against(ranking, call)
                seen[why or "kept"] += 1
                kept += [] if why else [call]
        lists = [call for call in kept if len(call.group) > 1]
        for number, call in enumerate(lists, 1):
            yield _sample(ranking, call, f"#{number}" if len(lists) > 1 else "")
        single = tuple(call for call in kept if len(call.group) == 1)
        if single:
            yield replace(ranking, trace=single)

    def _against(self, ranking: Ranking, call: Call) -> str:
        """Why an answer is not kept; empty when it is."""
        if ranking.status == "unscored":
            return "of a query that was dropped"
        if not call.output.strip() or all(score == MISSING for score in call.scores):
            return "without a usable answer"
        if not self.repaired and any(repair.kind not in HARMLESS for repair in call.repairs):
            return "repaired"
        if self.least_ndcg is not None and len(call.group) > 1:
            grades = {c.id: int(grade_of(c) or 0) for c in ranking.candidates if c.id in call.group}
            order = sorted(range(len(call.group)), key=lambda i: -call.scores[i])
            found = ndcg(grade([call.group[i] for i in order], grades), cutoff=10, dcg="log2")
            if any(g > 0 for g in grades.values()) and found < self.least_ndcg:
                return f"below nDCG@10 {self.least_ndcg}"
        return ""


@dataclass
class Tally:
    """What became of a teacher's rankings on their way into a file; ``facts`` are entries of the manifest."""

    answers: Answers | None = None
    counts: Counter[str] = field(default_factory=Counter)
    agreements: list[float] = field(default_factory=list)
    dropped: int = 0

    def through(self, rankings: Iterable[Ranking]) -> Iterator[Ranking]:
        """The rankings as they are written: with their answers, or without a trace."""
        from .consistency import agreement_of

        for ranking in rankings:
            agreement = agreement_of(ranking)
            if agreement is not None:
                self.agreements.append(agreement)
                self.dropped += ranking.status == "unscored"
            if self.answers is None:
                yield replace(ranking, trace=())
            else:
                yield from self.answers.samples(ranking, self.counts)

    def facts(self) -> dict[str, object]:
        """``answers`` by what became of them; ``consistency``: queries kept and dropped, and quartiles of agreement."""
        found: dict[str, object] = {}
        if self.answers is not None:
            found["answers"] = {**dict(self.counts), "asked_for": repr(self.answers)}
        if self.agreements:
            rows, n = sorted(self.agreements), len(self.agreements)
            quartiles = [rows[round(share * (n - 1))] for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
            counts = {"kept": n - self.dropped, "dropped": self.dropped}
            found["consistency"] = {**counts, "mean": sum(rows) / n, "quartiles": quartiles}
        return found


def _sample(ranking: Ranking, call: Call, suffix: str) -> Ranking:
    known = {candidate.id: candidate for candidate in ranking.candidates}
    if not all(doc_id in known for doc_id in call.group):
        raise ConfigError(f"query {ranking.query.id!r}: an answer names documents that were cut off; keep all of them")
    shown = enumerate(zip(call.group, call.scores, strict=True))
    asked = sorted(((known[i], score, place) for place, (i, score) in shown), key=lambda row: -row[1])
    query = ranking.query
    return replace(
        ranking,
        query=Query(f"{query.id}{suffix}", query.text, query.instruction, query.images),
        candidates=tuple(
            Candidate(c.document, None if score == MISSING else score, c.first_score, place)
            for c, score, place in asked
        ),
        trace=(call,),
    )
