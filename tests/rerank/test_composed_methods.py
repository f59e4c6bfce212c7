"""Methods made of methods, and those whose prompts depend on the group: built as a user builds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shortlist import Document, Query, Ranking, load
from shortlist.backends.fake import Broken, Failing, Noisy, Oracle, PositionBiased
from shortlist.check import make_ranking
from shortlist.check.data import true_order
from shortlist.core.errors import ConfigError, UnknownName
from shortlist.core.exchange import Completion, Request
from shortlist.core.types import Candidate
from shortlist.pipeline import Head, Then
from shortlist.readouts import Permutation
from shortlist.schedules import RepeatOrders


@dataclass(frozen=True)
class Listening(Oracle):
    """An oracle that notes the requests."""

    heard: list[Request] = field(default_factory=list, compare=False)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        self.heard.extend(requests)
        return super().generate(requests)


def test_a_cascade_takes_names_and_tables() -> None:
    stages = ["yes-no", {"method": "rankgpt", "depth": 20, "window": 10, "stride": 5}, {"method": "tdpart"}]
    cascade = load("cascade", stages=stages, depth=7, backend=Oracle())
    assert isinstance(cascade, Then)
    first, second, third = cascade.stages
    assert isinstance(second, Head) and isinstance(third, Head) and not isinstance(first, Head)
    assert (second.k, third.k) == (20, 7) and second.stage.schedule.size == 10  # type: ignore[attr-defined]
    (done,) = cascade.apply([make_ranking(100, seed=1)])
    assert done.ids == true_order(100) and len(done.trace) == 100 + 3 + 1


def test_each_stage_may_have_its_own_backend() -> None:
    blind = Oracle(relevance=_nothing)
    stages = [{"method": "yes-no", "backend": blind}, {"method": "rankgpt", "depth": 5}]
    (done,) = load("cascade", stages=stages, backend=Oracle()).apply([make_ranking(12, seed=4)])
    start = make_ranking(12, seed=4).ids
    assert done.ids[5:] == start[5:] and done.ids[:5] == tuple(sorted(start[:5], key=lambda i: -int(i[1:])))


def _nothing(query: str, document: str) -> float:
    return 0.0


def test_a_fallback_chain_answers_with_the_first_method_that_can() -> None:
    stages = [{"method": "rankgpt", "backend": Failing(needle="hard")}, "yes-no"]
    chain = load("fallback", stages=stages, backend=Oracle())
    easy, hard = chain.apply([make_ranking(25, query_id="e"), make_ranking(25, query_id="h", text="a hard one")])
    assert easy.reason == "" and hard.ids == true_order(25)
    assert hard.reason.startswith("rankgpt: BackendError: ") and hard.reason.endswith("; answered by yes-no")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"stages": []}, "expected a list such as"),
        ({"stages": "rankgpt"}, "expected a list such as"),
        ({"stages": [{"window": 5}]}, "a table with `method`"),
        ({"stages": [3]}, "a table with `method`"),
        ({"stages": [{"method": "rankgpt", "windows": 5}]}, "takes no parameter 'windows'"),
        ({"stages": ["rankgpt"], "backend": None}, "give a model"),
        (
            {"stages": [{"method": "cross-encoder", "backend": Oracle()}], "model": "x", "backend": None},
            "no stage asks",
        ),
    ],
)
def test_wrong_stages_say_what_is_wrong(params: dict[str, Any], message: str) -> None:
    for method in ("cascade", "fallback"):
        with pytest.raises(ConfigError, match=message):
            load(method, **{"backend": Oracle(), **params})


def test_unknown_stages_and_depths_in_a_chain_are_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'rankgpt'"):
        load("cascade", stages=["rankgtp"], backend=Oracle())
    with pytest.raises(ConfigError, match="gives every stage the whole list"):
        load("fallback", stages=[{"method": "rankgpt", "depth": 5}], backend=Oracle())


def test_the_model_of_the_whole_is_for_stages_that_ask_a_language_model() -> None:
    cascade = load(
        "cascade",
        stages=["late-interaction", {"method": "rankgpt", "options": {"context": 3000}}],
        model="http://localhost:9/v1",
        options={"model": "m"},
    )
    assert isinstance(cascade, Then)
    scorer = cascade.stages[1].stage.scorer  # type: ignore[attr-defined]
    assert (scorer.backend.model, scorer.prompt.context) == ("m", 3000)


@pytest.mark.parametrize("of", ["rankgpt", "first", "setwise", "tdpart"])
def test_self_consistency_repeats_any_method_from_shuffled_starts(of: str) -> None:
    wrapped, plain = load("self-consistency", of=of, times=3, backend=Oracle()), load(of, backend=Oracle())
    assert wrapped.schedule == RepeatOrders(plain.schedule, 3, 0)  # type: ignore[attr-defined]
    assert wrapped.scorer == plain.scorer  # type: ignore[attr-defined]
    (done,) = wrapped.apply([make_ranking(41)])
    assert done.ids[:10] == true_order(41)[:10]


def test_self_consistency_lessens_position_bias_and_takes_parameters() -> None:
    start, right = make_ranking(60, seed=5), set(true_order(60)[:10])
    biased = PositionBiased(bias=3.0)
    plain = load("rankgpt", backend=biased, window=15, stride=5).apply([start])[0]
    params = {"window": 15, "stride": 5}
    mean = load("self-consistency", of="rankgpt", params=params, times=8, backend=biased).apply([start])[0]
    assert len(right & set(mean.ids[:10])) > len(right & set(plain.ids[:10]))
    assert max(len(call.group) for call in mean.trace) == 15


def test_self_consistency_needs_one_schedule() -> None:
    with pytest.raises(ConfigError, match="has no single schedule"):
        load("self-consistency", of="dear", backend=Oracle())


def test_tourrank_asks_for_the_share_of_each_group() -> None:
    backend = Listening()
    (done,) = load("tourrank", rounds=1, backend=backend).apply([make_ranking(100, seed=2)])
    asked: dict[int, set[str]] = {}
    for request in backend.heard:
        assert request.group is not None
        words = request.texts[-1].split("Select the ")[1]
        asked.setdefault(len(request.group[1]), set()).add(words.split()[0])
        assert f"Select the {words.split()[0]} that are most relevant" in request.texts[1]
    assert asked == {20: {"10"}, 10: {"5"}, 5: {"2"}} and len(backend.heard) == 13
    assert done.status == "ranked" and not done.repairs
    assert set(done.ids[:2]) == set(true_order(100)[:2])


@pytest.mark.parametrize("n", [2, 3, 6, 21, 37, 95, 137])
def test_tourrank_at_other_lengths_needs_no_repair(n: int) -> None:
    (done,) = load("tourrank", rounds=3, backend=Oracle()).apply([make_ranking(n, seed=n)])
    assert not done.repairs and sorted(done.ids) == sorted(true_order(n))
    assert set(done.ids[:2]) == set(true_order(n)[:2]), "the last two tie by design"


def test_more_rounds_help_a_noisy_model() -> None:
    start = [make_ranking(100, seed=s, query_id=f"q{s}") for s in range(6)]

    def found(rounds: int) -> int:
        done = load("tourrank", rounds=rounds, backend=Noisy(sigma=20.0)).apply(start)
        return sum(len(set(r.ids[:10]) & set(true_order(100)[:10])) for r in done)

    assert found(10) > found(1)


@pytest.mark.parametrize("mode", ["knockout", "allpair", "rating"])
@pytest.mark.parametrize("both_orders", [True, False])
def test_fare_finds_the_best_answer(mode: str, both_orders: bool) -> None:
    judge = load("fare", mode=mode, both_orders=both_orders, high=200.0, backend=Oracle())
    for n in (0, 1, 2, 8, 17):
        (done,) = judge.apply([make_ranking(n, seed=n)])
        assert done.ids[:1] == true_order(n)[:1] and done.status == "ranked"


def test_fare_costs_what_a_knockout_costs() -> None:
    (both,) = load("fare", backend=Oracle()).apply([make_ranking(8)])
    (tree,) = load("fare", both_orders=False, backend=Oracle()).apply([make_ranking(8)])
    assert (both.usage.calls, tree.usage.calls) == (14, 7)


def test_fare_verifies_with_and_without_a_reference() -> None:
    def correct(query: str, document: str) -> float:
        return float("42" in document)

    backend = Listening(relevance=correct)
    answers = tuple(Candidate(Document(i, t)) for i, t in (("a", "It is 41."), ("b", "It is 42."), ("c", "42!")))
    free, based = Query("f", "6 x 7?"), Query("r", "6 x 7?", instruction="forty-two")
    done = load("fare", mode="verification", backend=backend).apply([Ranking(free, answers), Ranking(based, answers)])
    assert [r.ids for r in done] == [("b", "c", "a")] * 2
    assert [c.score for c in done[0].candidates] == [1.0, 1.0, 0.0]
    texts = ["\n".join(request.texts) for request in backend.heard]
    assert sum("Reference answer:\nforty-two\n\nAnswer:" in text for text in texts) == 3
    assert sum("Reference answer" in text for text in texts) == 3


def test_fare_knows_its_modes() -> None:
    with pytest.raises(ConfigError, match="expected one of 'knockout', 'allpair', 'rating', 'verification'"):
        load("fare", mode="best", backend=Oracle())


def test_a_judge_that_likes_the_first_answer_changes_nothing_when_asked_in_both_orders() -> None:
    start = make_ranking(6, seed=1)
    (done,) = load("fare", backend=PositionBiased(bias=100.0)).apply([start])
    assert done.ids == start.ids


def test_apeer_reads_between_its_marks() -> None:
    reading = Permutation().read(Completion("Passage 1 is long. [rankstart] [3] > [1] > [2] [rankend] and [2]."), 3)
    assert reading.scores == (2.0, 1.0, 3.0) and not reading.repairs
    backend = Listening()
    load("apeer", backend=backend).apply([make_ranking(3)])
    assert "[rankstart] [best] > [second best] > ... > [worst] [rankend]" in backend.heard[0].texts[-1]


def test_dear_scores_all_and_reasons_about_the_head() -> None:
    backend = Listening()
    (done,) = load("dear", backend=backend, depth=30).apply([make_ranking(100, seed=3)])
    assert done.ids == true_order(100) and done.scale == "rank"
    assert len(backend.heard) == 2 and len(done.trace) == 102
    assert "in three steps" in backend.heard[0].texts[-1]


def test_dear_keeps_stage_one_when_the_reasoning_cannot_be_read() -> None:
    parts = {"backend": Broken(outputs=("<think>[2] is good but",)), "pointwise_backend": Oracle()}
    (done,) = load("dear", **parts).apply([make_ranking(40, seed=3)])
    assert done.status == "unscored" and done.ids == true_order(40)


def test_dear_needs_both_models() -> None:
    with pytest.raises(ConfigError, match=r"give pointwise=\.\.\."):
        load("dear", model="folder")
