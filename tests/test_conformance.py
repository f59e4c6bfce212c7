"""The public conformance suite: every registered method, and every schedule x readout x size on an oracle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from shortlist import Candidate, Query, Ranking
from shortlist.backends.fake import Broken, Noisy, Oracle, PositionBiased
from shortlist.backends.fake.troubled import HARD_OUTPUTS, PROSE
from shortlist.check import RERANKER_CHECKS, SIZES, CheckFailed, Registered, check_reranker, make_ranking, registered
from shortlist.check.data import true_order
from shortlist.core.errors import ConfigError, OutputError
from shortlist.core.exchange import Completion, Request
from shortlist.core.protocols import Readout, Schedule
from shortlist.core.types import MISSING
from shortlist.drive import Scheduled
from shortlist.drive.concurrent import Threaded
from shortlist.readouts import (
    ExpectedGrade,
    FirstBeatsSecond,
    FirstToken,
    JsonScores,
    Permutation,
    Pick,
    Rating,
    RawLogit,
    TaggedAnswer,
    Verdict,
    Winner,
    YesNo,
)
from shortlist.schedules import (
    AllPairs,
    BubbleTopK,
    Cascade,
    EliminationTournament,
    HeapTopK,
    InsertionTopK,
    Map,
    Once,
    PointsTournament,
    RepeatOrders,
    RepeatShuffled,
    ShuffledGroups,
    SlidingWindow,
    TopDownPartition,
)
from shortlist.scorers import Prompted

METHODS = list(registered())


@dataclass(frozen=True)
class Listing:
    """The plainest prompt: identifiers and texts."""

    def render(self, query: Query, candidates: Sequence[Candidate], *, labels: tuple[str, ...]) -> Request:
        lines = [f"[{i}] {c.document.text}" for i, c in enumerate(candidates, 1)]
        return Request("\n".join([query.text, *lines]), labels)


def share(query: str, document: str) -> float:
    """Relevance squeezed into (0, 1), for readouts that speak in probabilities."""
    return (float(document.split()[0]) + 1) / 200


READOUTS: dict[str, tuple[Readout, Oracle]] = {
    "permutation": (Permutation(), Oracle()),
    "worst-first": (Permutation(reverse=True), Oracle()),
    "letters": (Permutation("letters"), Oracle()),
    "tagged": (TaggedAnswer(Permutation(), on_missing="invalid"), Oracle()),
    "json": (JsonScores(high=200.0), Oracle()),
    "first-token": (FirstToken(), Oracle()),
    "winner": (Winner(), Oracle()),
    "pick": (Pick(), Oracle()),
    "verdict": (Verdict(), Oracle()),
    "duo": (FirstBeatsSecond(), Oracle(share)),
    "yes-no": (YesNo(), Oracle()),
    "raw-logit": (RawLogit(), Oracle()),
    "rating": (Rating(high=200.0), Oracle()),
    "expected-grade": (ExpectedGrade(values=(0.0, 50.0, 100.0, 150.0, 200.0)), Oracle()),
}
SCHEDULES: dict[str, Schedule] = {
    "map": Map(),
    "chunks": Map(size=7),
    "once": Once(),
    "window": SlidingWindow(),
    "window-2-passes": SlidingWindow(size=8, stride=3, passes=2),
    "pairs": AllPairs(),
    "heap-2": HeapTopK(2),
    "heap-19": HeapTopK(19),
    "heap-pairs": HeapTopK(2, both_orders=True),
    "bubble-1": BubbleTopK(1, both_orders=True),
    "bubble-3": BubbleTopK(3),
    "insertion": InsertionTopK(),
    "partition": TopDownPartition(),
    "points": PointsTournament(),
    "elimination": EliminationTournament(),
    "elimination-2": EliminationTournament(survivors=2),
    "repeat": RepeatShuffled(size=20, times=2),
    "shuffled": ShuffledGroups(HeapTopK(4)),
    "self-consistency": RepeatOrders(SlidingWindow(), times=2),
}
ONLY_THE_WINNER = {"pick", "verdict", "duo"}
BEST_ONLY_IS_ENOUGH = {"pairs", "heap-2", "heap-19", "heap-pairs", "bubble-1", "bubble-3", "insertion", "elimination"}
PAIRS_ONLY = {"verdict", "duo"}


def build(readout: str, schedule: str) -> Scheduled | None:
    """The two parts together on their oracle; None where the constructor refuses them."""
    reads, oracle = READOUTS[readout]
    try:
        return Scheduled(Prompted(Listing(), reads, oracle), SCHEDULES[schedule])
    except ConfigError:
        return None


def combinations() -> Iterator[tuple[str, str]]:
    for readout in READOUTS:
        for schedule in SCHEDULES:
            if build(readout, schedule) and not (readout in PAIRS_ONLY and SCHEDULES[schedule].group_size != 2):
                yield readout, schedule


COMBINATIONS = list(combinations())
LISTS = [(r, s) for r, s in COMBINATIONS if s != "pairs" and not (s == "once" and READOUTS[r][0].max_group == 1)]


@pytest.mark.parametrize(
    ("method", "check"), [pytest.param(m, c, id=f"{m.name}-{c.__name__}") for m in METHODS for c in m.checks]
)
def test_every_registered_method(method: Registered, check: Any) -> None:
    check(method.build())


def test_methods_and_combinations_are_there_to_be_tested() -> None:
    assert {"late-interaction", "cross-encoder", "bi-encoder"} <= {m.name for m in METHODS}
    assert {r for r, _ in COMBINATIONS} == set(READOUTS) and {s for _, s in COMBINATIONS} == set(SCHEDULES)
    assert len(COMBINATIONS) > 100


@pytest.mark.parametrize(("readout", "schedule"), COMBINATIONS)
def test_oracle_gives_a_permutation_and_the_exact_top_at_every_size(readout: str, schedule: str) -> None:
    reranker = build(readout, schedule)
    assert reranker is not None
    limit = reranker.scorer.max_group
    for n in SIZES:
        if reranker.schedule.group_size is None and limit is not None and n > limit:
            continue  # refused with a ConfigError, see tests/drive
        if schedule == "pairs" and n > 41:
            continue  # n squared prompts; the schedule's own tests go further
        (done,) = reranker.rerank([make_ranking(n, seed=n)])
        assert sorted(done.ids) == sorted(true_order(n)), f"n={n}: not a permutation"
        assert done.status == "ranked" and not done.repairs, f"n={n}: {done.status} {done.repairs}"
        if readout not in ONLY_THE_WINNER or schedule in BEST_ONLY_IS_ENOUGH:
            exact = reranker.schedule.exact_top(n)
            assert done.ids[:exact] == true_order(n)[:exact], f"n={n}: the first {exact} are not exact"


@pytest.mark.parametrize(("readout", "schedule"), LISTS)
def test_hard_outputs_never_lose_a_document_and_what_could_not_be_read_is_recorded(readout: str, schedule: str) -> None:
    reads, oracle = READOUTS[readout]
    backend = Broken(oracle.relevance, outputs=HARD_OUTPUTS, rate=0.7)
    start = [make_ranking(21, seed=seed, query_id=f"q{seed}", text=f"query {seed}") for seed in range(12)]
    done = Scheduled(Prompted(Listing(), reads, backend), SCHEDULES[schedule]).rerank(start)
    assert [sorted(r.ids) for r in done] == [sorted(r.ids) for r in start]
    silent = [call for r in done for call in r.trace if set(call.scores) == {MISSING}]
    assert silent, "no output was hard enough for this readout"
    assert all(call.repairs for call in silent), "an answer without a score passed without a repair"


@pytest.mark.parametrize("readout", sorted(READOUTS))
def test_a_model_that_only_talks_leaves_the_query_unscored_or_says_what_was_mended(readout: str) -> None:
    reads, oracle = READOUTS[readout]
    schedule = next(s for r, s in COMBINATIONS if r == readout and s != "once")
    backend = Broken(oracle.relevance, outputs=("I would rather not say.",))
    (done,) = Scheduled(Prompted(Listing(), reads, backend), SCHEDULES[schedule]).rerank([make_ranking(20)])
    assert done.status == "unscored" and "no usable output" in done.reason
    assert done.ids == make_ranking(20).ids


@pytest.mark.parametrize(("readout", "schedule"), LISTS)
def test_lockstep_asynchronous_and_single_queries_agree_with_a_noisy_model(readout: str, schedule: str) -> None:
    reads, oracle = READOUTS[readout]
    scorer = Prompted(Listing(), reads, Noisy(oracle.relevance, sigma=5.0 if readout != "duo" else 0.02))
    rankings = [make_ranking(n, seed=n, query_id=f"q{n}") for n in (0, 1, 2, 19, 21, 25)]
    together = Scheduled(scorer, SCHEDULES[schedule]).rerank(rankings)
    assert together == [Scheduled(scorer, SCHEDULES[schedule]).rerank([r])[0] for r in rankings]
    assert together == Scheduled(Threaded(scorer), SCHEDULES[schedule]).rerank(rankings)


def test_retries_are_asked_counted_and_limited() -> None:
    start = make_ranking(25)
    half = Broken(rate=0.5, outputs=("no",))
    flaky = Scheduled(Prompted(Listing(), Permutation(), half, "retry", retries=20), SlidingWindow())
    (done,) = flaky.rerank([start])
    assert done.ids[:10] == true_order(25)[:10] and set(done.repairs) <= {"retried"}
    never = Scheduled(Prompted(Listing(), Permutation(), Broken(outputs=("no",)), "retry", retries=3), SlidingWindow())
    (done,) = never.rerank([start])
    assert done.status == "unscored" and done.repairs["retried"] == 2 * 3 and done.usage.calls == 2 * 4


def test_a_treatment_of_malformed_output_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="on_malformed='explode': expected 'repair', 'retry' or 'raise'"):
        Prompted(Listing(), Permutation(), Oracle(), "explode")  # type: ignore[arg-type]


def test_raise_names_the_query_and_the_output() -> None:
    strict = Scheduled(Prompted(Listing(), Permutation(), Broken(outputs=("no",)), "raise"), SlidingWindow())
    with pytest.raises(OutputError, match=r"'q1'.*no_identifiers.*'no'"):
        strict.rerank([make_ranking(5)])


def test_prompted_refuses_a_backend_without_the_capability() -> None:
    @dataclass(frozen=True)
    class TextOnly(Oracle):
        @property
        def capabilities(self) -> frozenset[Any]:
            return frozenset({"generate"})

    with pytest.raises(ConfigError, match="FirstToken needs the capability label_logits; TextOnly has generate"):
        Prompted(Listing(), FirstToken(), TextOnly())


def test_position_bias_shows_and_a_shuffled_schedule_reduces_it() -> None:
    start = make_ranking(60, seed=5)
    biased = Prompted(Listing(), Permutation(), PositionBiased(bias=3.0))
    plain = Scheduled(biased, SlidingWindow()).rerank([start])[0]
    averaged = Scheduled(biased, RepeatOrders(SlidingWindow(), times=8)).rerank([start])[0]
    right = set(true_order(60)[:10])
    assert len(right & set(averaged.ids[:10])) > len(right & set(plain.ids[:10]))


@dataclass(frozen=True)
class Sabotaged:
    """Wraps a good reranker and breaks one promise, to see that the suite notices."""

    how: str
    calls: list[int]

    def rerank(self, rankings: Sequence[Ranking], *, k: int | None = None) -> list[Ranking]:
        self.calls.append(len(rankings))
        good = Scheduled(Prompted(Listing(), Permutation(), Oracle()), Once()).rerank(rankings, k=k)
        return [self._spoil(before, after) for before, after in zip(rankings, good, strict=True)]

    def _spoil(self, before: Ranking, after: Ranking) -> Ranking:
        some = after.candidates
        if not some:
            return after
        if self.how == "loses":
            return replace(after, candidates=some[:-1])
        if self.how == "invents":
            other = replace(some[-1], document=replace(some[-1].document, id="new"))
            return replace(after, candidates=(*some[:-1], other))
        if self.how == "forgets the trace":
            return replace(after, trace=())
        if self.how == "drifts":
            return after.reorder(range(len(some))[:: -1 if len(self.calls) % 2 else 1])
        if self.how == "forgets the first stage":
            return replace(after, candidates=tuple(replace(c, first_score=None, first_rank=None) for c in some))
        return after


@pytest.mark.parametrize(
    ("how", "notices"),
    [
        ("loses", "keeps_a_permutation"),
        ("invents", "keeps_a_permutation"),
        ("forgets the trace", "has_a_complete_trace"),
        ("drifts", "is_repeatable"),
        ("forgets the first stage", "scores_agree_with_the_order"),
    ],
)
def test_the_suite_notices_sabotage(how: str, notices: str) -> None:
    check_reranker(Sabotaged("not at all", []), exact=True)
    with pytest.raises(CheckFailed, match=notices):
        check_reranker(Sabotaged(how, []), exact=True)


def test_a_noisy_model_fails_the_oracle_check_but_keeps_every_other() -> None:
    noisy = Scheduled(Prompted(Listing(), Permutation(), Noisy(sigma=30.0)), SlidingWindow())
    check_reranker(noisy)
    with pytest.raises(CheckFailed, match="finds_the_exact_top"):
        check_reranker(noisy, exact=True)


def test_public_names() -> None:
    assert len({c.__name__ for c in RERANKER_CHECKS}) == len(RERANKER_CHECKS) >= 9
    assert PROSE and Completion().finished and Cascade
