"""Rewards: what they pay for, what they do not, and that the terms add up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import InputError
from shortlist.rewards import (
    Record,
    Reward,
    RewardFunction,
    Rollout,
    erank,
    grouprank,
    mm_r5,
    prorank,
    rank_r1,
    rearank,
)
from shortlist.rewards import reasonrank as reasonrank_reward
from shortlist.rewards.grouprank import divergence

RECORD = Record(("a", "b", "c"), {"b": 2, "c": 1}, order=(1, 2, 0), teacher=(0.0, 8.0, 3.0))
ALL: list[RewardFunction] = [rank_r1, reasonrank_reward, rearank, grouprank, erank, prorank, mm_r5]


def thought(answer: str) -> Rollout:
    return Rollout(f"<think>[1] or [2]?</think> <answer>{answer}</answer>")


def scored(answer: str) -> Rollout:
    return Rollout(f"<reason>[1] may get 7</reason>\n<answer>{answer}</answer>")


@given(st.lists(st.text(alphabet='<>/thinkaswer reo[]0123456789{}":,.\n', max_size=60), max_size=4))
@pytest.mark.parametrize("reward", ALL)
def test_any_text_gets_a_finite_reward_whose_terms_add_up(reward: RewardFunction, texts: list[str]) -> None:
    texts += [f"<think></think><answer>{text}</answer>" for text in texts]
    rewards = reward([Rollout(text, 1) for text in texts], RECORD)
    assert len(rewards) == len(texts)
    for one in rewards:
        assert math.isfinite(one.total) and (one.gate or one.terms)
        assert one.gate or one.total == pytest.approx(sum(one.terms.values()))


def test_the_best_document_is_the_highest_grade() -> None:
    right, second, other = rank_r1([thought("[2]"), thought("[3]"), thought("[9]")], RECORD)
    assert (right.total, second.total, other.total) == (1.0, 0.0, 0.0)
    tied = Record(("a", "b"), {"a": 1, "b": 1})
    assert [r.total for r in rank_r1([thought("[1]"), thought("[2]")], tied)] == [1.0, 1.0]
    with pytest.raises(InputError, match="no document"):
        rank_r1([thought("[1]")], Record(("a",), {"z": 1}))


def test_reasonrank_needs_a_teacher_and_something_relevant() -> None:
    for record in (Record(("a",), {"a": 1}), Record(("a",), {"a": 0}, order=(0,))):
        with pytest.raises(InputError, match="teacher's order"):
            reasonrank_reward([thought("[1]")], record)


def test_rearank_pays_the_share_of_the_possible_gain() -> None:
    best, given_order, worst, bare = rearank(
        [thought("[2] > [3] > [1]"), thought("[1] > [2] > [3]"), thought("[1] > [3] > [2]"), Rollout("[2] > [3]")],
        RECORD,
    )
    assert best.total == pytest.approx(1.0)
    assert given_order.total == pytest.approx(0.2)
    assert worst.terms["ranking"] < 0
    assert bare.terms == pytest.approx({"ranking": 0.8, "tags": 0.0, "list": 0.0})


def test_rearank_where_nothing_can_be_gained() -> None:
    record = Record(("b", "a"), {"b": 1})
    kept, lost = rearank([thought("[1] > [2]"), thought("[2] > [1]")], record)
    assert kept.total == pytest.approx(1.0)
    assert lost.terms["ranking"] == pytest.approx(0.8 * (1 / math.log2(3) - 1))


def test_rearank_without_an_order_keeps_only_what_its_form_earned() -> None:
    words, nothing = rearank([thought("none of them"), Rollout("none")], RECORD)
    assert (words.total, words.gate, nothing.total, nothing.gate) == (0.1, "no_order", 0.0, "no_order")


GATES = [
    ('{"[1]": 0, "[2]": 8, "[3]": 3}', ""),
    ('```json\n{"[1]": 0, "[2]": 8, "[3]": 3}\n```', ""),
    ('{"[1]": 0, "[2]": 8}', "bad_json"),
    ('{"[1]": 0, "[2]": 8, "[3]": 3, "[4]": 1}', "bad_json"),
    ('{"[1]": 0, "[2]": 8, "[3]": 30}', "bad_json"),
    ('{"[1]": 0, "[2]": 8, "[3]": 3', "bad_json"),
    ("{'[1]': 0, '[2]': 8, '[3]': 3}", "bad_json"),
    ("no idea", "bad_json"),
]


@pytest.mark.parametrize(("answer", "gate"), GATES)
def test_grouprank_gates(answer: str, gate: str) -> None:
    (reward,) = grouprank([scored(answer)], RECORD)
    assert reward.gate == gate
    assert reward.total == pytest.approx(-0.1 if gate else 1.3)


def test_grouprank_terms() -> None:
    untagged, same, flat = grouprank(
        [Rollout('{"[1]": 0}'), scored('{"[1]": 0, "[2]": 8, "[3]": 3}'), scored('{"[1]": 5, "[2]": 5, "[3]": 5}')],
        RECORD,
    )
    assert (untagged.total, untagged.gate) == (-0.5, "no_tags")
    assert same.terms == pytest.approx({"ndcg": 1.0, "recall": 0.2, "likeness": 0.1})
    assert flat.terms["likeness"] < 0.1 and flat.terms["recall"] == pytest.approx(0.2)
    assert divergence((0.5, 0.5), (0.5, 0.5)) == 0.0 and divergence((1.0, 0.0), (0.0, 1.0)) == 1.0


def test_erank_ranks_all_rollouts_of_a_query_together() -> None:
    """Two rollouts each of b (relevant), a and c (not); equal grades share the best rank."""
    record = Record(("a", "b", "c"), {"b": 1}, teacher=(2.0, 9.0, 4.0))
    asked = [("9", 1), ("7", 1), ("8", 0), ("2", 0), ("9", 2), ("no", 2)]
    rewards = erank([Rollout(f"<think>x</think><answer>{text}</answer>", about) for text, about in asked], record)
    assert [r.total for r in rewards] == pytest.approx([1.0, 1 / 4, -1.0, 0.0, -1.0, -1.0])
    assert [r.gate or next(iter(r.terms)) for r in rewards] == [
        "reciprocal_rank", "reciprocal_rank", "above_relevant", "squared_error", "above_relevant", "malformed",
    ]  # fmt: skip


def test_erank_without_a_relevant_rollout_keeps_to_the_teacher() -> None:
    record = Record(("a", "b"), {}, teacher=(2.0, 9.0))
    far, near = erank([Rollout("<answer>7</answer>", 0), Rollout("<answer>8</answer>", 1)], record)
    assert (far.total, near.total) == (pytest.approx(-0.25), pytest.approx(-0.01))


@pytest.mark.parametrize("text", ["7", "<answer>11</answer>", "<answer>high</answer>", "<answer>7", ""])
def test_erank_malformed(text: str) -> None:
    (reward,) = erank([Rollout(text, 1)], RECORD, penalty=-3.0)
    assert reward == Reward(-3.0, gate="malformed")


def test_prorank_wants_one_token() -> None:
    texts = [("1", 1), ("0", 1), (" 0\n", 0), ("1", 0), ("1.", 1), ("01", 1), ("", 0)]
    rewards = prorank([Rollout(text, about) for text, about in texts], RECORD)
    assert [r.total for r in rewards] == [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert [bool(r.gate) for r in rewards] == [False] * 4 + [True] * 3


MM_R5 = [  # two relevant documents of three, [2] and [3]; the best order's sum of cubes is 1 + 1/8
    ("[2, 3, 1]", 1.0, 1.0),
    ("[3, 2, 1]", 1.0, 1.0),
    ("[2, 1, 3]", (1 + 1 / 27) / 1.125, 1.0),
    ("[1, 2, 3]", (1 / 8 + 1 / 27) / 1.125, 1.0),
    ("[2]", 1 / 1.125, 1 / 3),
    ("[2, 2, 2]", 1 / 1.125, 1 / 3),
    ("[2, 3, 1, 1, 1]", 1.0, 1.0),
    ("[4, 2, 3]", (1 / 8 + 1 / 27) / 1.125, 2 / 3),
    ("[2, 3, 1, 4, 5, 6, 7]", 1.0, -1 / 3 * 3 / 7),
    ("[2,\n 3, 1]", 1.0, 1.0),
    ("[" + "9" * 5000 + ", 2]", 1 / 8 / 1.125, 1 / 3),
]


@pytest.mark.parametrize(("answer", "rank", "form"), MM_R5)
def test_mm_r5_pays_by_the_cube_of_the_rank_and_for_whole_lists(answer: str, rank: float, form: float) -> None:
    (reward,) = mm_r5([thought(answer)], RECORD)
    assert reward.terms == pytest.approx({"rank": rank, "form": form})
    assert not reward.gate


def test_mm_r5_without_a_thought_or_a_list() -> None:
    unthought, words = mm_r5([Rollout("<answer>[2, 3, 1]</answer>"), thought("second")], RECORD)
    assert unthought.terms == pytest.approx({"rank": 1.0, "form": 0.0})
    assert (words.total, words.gate) == (0.0, "no_list")
    tried = Rollout("<think>try <answer>[1, 2, 3]</answer></think> <answer>[2, 3, 1]</answer>")
    assert mm_r5([tried], RECORD)[0].total == pytest.approx(2.0)  # the answer's, not the thought's
    with pytest.raises(InputError, match="no order is better"):
        mm_r5([thought("[1]")], Record(("a",), {"z": 1}))


@pytest.mark.parametrize("reward", [erank, prorank])
def test_pointwise_rewards_need_to_know_the_document(reward: RewardFunction) -> None:
    for document in (None, 3, -1):
        with pytest.raises(InputError, match="pointwise"):
            reward([Rollout("1", document)], RECORD)


def test_a_record_is_checked() -> None:
    for wrong in ({"documents": ("a", "a")}, {"order": (0, 0, 1)}, {"teacher": (1.0,)}):
        with pytest.raises(InputError):
            Record(**{"documents": ("a", "b", "c"), **wrong})  # type: ignore[arg-type]
