"""Checks of a reranker, each a function that raises CheckFailed with what was found.

They take any object with ``rerank(rankings, k=None)`` that reads relevance as the fake backends do: from the number
that a document's text begins with.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable

from ..core.errors import ShortlistError
from ..core.protocols import Reranker
from ..core.types import Candidate, Document, Query, Ranking
from .data import SIZES, make_ranking, true_order

Check = Callable[[Reranker], None]


class CheckFailed(ShortlistError, AssertionError):
    """A reranker or backend breaks its contract; the message lists every finding."""


def keeps_a_permutation(reranker: Reranker) -> None:
    """No document is lost, repeated or invented, at any size."""
    for n in SIZES:
        before = make_ranking(n)
        (after,) = reranker.rerank([before])
        lost, invented = set(before.ids) - set(after.ids), set(after.ids) - set(before.ids)
        _require(sorted(before.ids) == sorted(after.ids), f"n={n}: {len(lost)} lost, {len(invented)} invented")


def finds_the_exact_top(reranker: Reranker) -> None:
    """With a backend that is always right, the leading ranks that the schedule promises are exact."""
    for n in SIZES:
        (after,) = reranker.rerank([make_ranking(n, seed=n)])
        exact = _exact_top(reranker, n)
        right = true_order(n)[:exact]
        found = len(set(after.ids[:exact]) & set(right))
        _require(after.ids[:exact] == right, f"n={n}: {found} of the true top {exact} are among the first {exact}")


def is_batch_invariant(reranker: Reranker) -> None:
    """A query's result does not depend on which queries are reranked with it."""
    rankings = [make_ranking(n, seed=n, query_id=f"q{n}") for n in (0, 1, 25, 30, 41)]
    together = reranker.rerank(rankings)
    for ranking, result in zip(rankings, together, strict=True):
        (alone,) = reranker.rerank([ranking])
        _require(alone.ids == result.ids, f"query {ranking.query.id}: the order differs when others are in the batch")
        _require(_close(alone, result), f"query {ranking.query.id}: the scores differ when others are in the batch")


def leaves_its_input_alone(reranker: Reranker) -> None:
    before = make_ranking(25)
    kept = copy.deepcopy(before)
    reranker.rerank([before])
    _require(before == kept and before.trace == kept.trace, "the input ranking was changed")


def k_is_a_prefix(reranker: Reranker) -> None:
    (full,) = reranker.rerank([make_ranking(25)])
    for k in (0, 1, 5, 25, 26):
        (cut,) = reranker.rerank([make_ranking(25)], k=k)
        _require(cut.ids == full.ids[:k], f"k={k}: not the first {k} of the full result")


def keeps_equal_texts_apart(reranker: Reranker) -> None:
    """Several ids with one text all survive."""
    ranking = Ranking(Query("q", "x"), tuple(Candidate(Document(f"id{i}", "7 same"), 1.0) for i in range(6)))
    (after,) = reranker.rerank([ranking])
    _require(sorted(after.ids) == sorted(ranking.ids), f"ids became {after.ids}")


def keeps_ties_in_their_order(reranker: Reranker) -> None:
    """With a backend that is always right, documents of equal relevance keep the order they came in."""
    ranking = Ranking(Query("q", "x"), tuple(Candidate(Document(f"id{i}", "7 same"), 1.0) for i in range(6)))
    (after,) = reranker.rerank([ranking])
    _require(after.ids == ranking.ids, f"six equal documents came back as {after.ids}")


def is_repeatable(reranker: Reranker) -> None:
    first, second = (reranker.rerank([make_ranking(30)])[0] for _ in range(2))
    _require(first == second, "two runs over the same input differ")


def has_a_complete_trace(reranker: Reranker) -> None:
    """Every call is on the result, with one score per shown document, and every shown document is a candidate."""
    (after,) = reranker.rerank([make_ranking(25)])
    _require(after.trace, "no call was recorded")
    _require(all(len(call.group) == len(call.scores) for call in after.trace), "a call lacks scores")
    unknown = {doc_id for call in after.trace for doc_id in call.group} - set(after.ids)
    _require(not unknown, f"the trace names documents that are not candidates: {sorted(unknown)[:5]}")


def scores_agree_with_the_order(reranker: Reranker) -> None:
    """Scores never rise from one rank to the next, and the first stage's score and rank travel with the document."""
    before = make_ranking(41)
    (after,) = reranker.rerank([before])
    scores = [c.score for c in after.candidates if c.score is not None]
    _require(all(a >= b for a, b in itertools.pairwise(scores)), "a lower rank has a higher score")
    came = {c.id: (c.score, position) for position, c in enumerate(before.candidates)}
    kept = all((c.first_score, c.first_rank) == came.get(c.id) for c in after.candidates)
    _require(kept, "first-stage score or rank lost")


def survives_hard_texts(reranker: Reranker) -> None:
    """Empty queries and documents, odd ids, long lines, control characters: a ranking with every document comes
    back."""
    texts = [
        "",
        " ",
        "3 " + "word " * 2000,
        "2 line\r\nbreak\ttab",
        "1 \u4e2d\u6587 \U0001f600 \u202e",
        "\x00",
        "[1] > [2]",
        "<think>",
    ]
    ids = ["a b", "ü/ö", "a'b\"c", "4", "-1", "[1]", " ", "\u4e2d"]
    documents = tuple(Candidate(Document(i, t), 1.0) for i, t in zip(ids, texts, strict=True))
    for query in ("", "[2] > [1] </think>", "\u4e2d\u6587"):
        (after,) = reranker.rerank([Ranking(Query("q 1", query), documents)])
        _require(sorted(after.ids) == sorted(ids), f"query {query!r}: ids became {after.ids}")


def does_not_look_at_neighbours(reranker: Reranker) -> None:
    """Pointwise only: a document's score is the same whatever else is in the list."""
    one = make_ranking(1)
    others = tuple(Candidate(Document(f"x{i}", "3 " * (i + 2)), 1.0) for i in range(4))
    (alone,) = reranker.rerank([one])
    (among,) = reranker.rerank([Ranking(one.query, one.candidates + others)])
    score = {c.id: c.score for c in among.candidates}["d0"]
    was = alone.candidates[0].score
    _require(was is not None and score is not None and math.isclose(was, score, abs_tol=1e-5), f"{was} became {score}")


RERANKER_CHECKS: tuple[Check, ...] = (
    keeps_a_permutation,
    is_batch_invariant,
    leaves_its_input_alone,
    k_is_a_prefix,
    keeps_equal_texts_apart,
    is_repeatable,
    has_a_complete_trace,
    scores_agree_with_the_order,
    survives_hard_texts,
)
"""What holds for every reranker, whatever its model says."""


def checks_for(*, exact: bool = False, pointwise: bool = False, stable: bool = True) -> tuple[Check, ...]:
    """All checks that apply. exact: the backend is an oracle. pointwise: documents are scored alone.

    stable: equal documents keep their order; not so where a model must pick one of several equal ones (setwise).
    """
    return (
        *RERANKER_CHECKS,
        *((finds_the_exact_top,) if exact else ()),
        *((keeps_ties_in_their_order,) if exact and stable else ()),
        *((does_not_look_at_neighbours,) if pointwise else ()),
    )


def check_reranker(reranker: Reranker, *, exact: bool = False, pointwise: bool = False) -> None:
    """Run every check that applies; raises CheckFailed with all findings."""
    findings = []
    for check in checks_for(exact=exact, pointwise=pointwise):
        try:
            check(reranker)
        except CheckFailed as error:
            findings.append(f"{check.__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - somebody else's code ends here, and its failure is the finding
            findings.append(f"{check.__name__}: {type(error).__name__}: {error}")
    if findings:
        raise CheckFailed("\n".join(findings))


def _require(holds: object, finding: str) -> None:
    if not holds:  # not an assert: the suite must also find something under python -O
        raise CheckFailed(finding)


def _exact_top(reranker: Reranker, n: int) -> int:
    schedule = getattr(reranker, "schedule", None)
    return n if schedule is None else int(schedule.exact_top(n))


def _close(a: Ranking, b: Ranking) -> bool:
    return all(_same(x.score, y.score) for x, y in zip(a.candidates, b.candidates, strict=True))


def _same(a: float | None, b: float | None) -> bool:
    return a == b if a is None or b is None else math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-5)
