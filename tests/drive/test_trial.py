"""Judges that err in three ways, and what they make of schedules; the table of costs covers every method."""

from __future__ import annotations

import json
import math

import pytest

from shortlist.backends.fake import Oracle
from shortlist.check import registered
from shortlist.check.costs import HEADINGS, cost_rows, grouped, markdown, schedule_of
from shortlist.cli import main
from shortlist.core.errors import ConfigError
from shortlist.drive import Fallback, Scheduled
from shortlist.drive.simulate import perfect, simulate
from shortlist.drive.trial import biased, ndcg, stubborn, trial
from shortlist.pipeline import top
from shortlist.schedules import Map, Once, PointsTournament, RepeatShuffled, SlidingWindow
from shortlist.scorers import Pairs

SEEDS = range(6)


def test_ndcg_is_one_for_the_true_order_and_counts_only_the_ten_best() -> None:
    relevance = [float(i + 1) for i in range(30)]
    assert ndcg(tuple(range(29, -1, -1)), relevance) == 1.0
    swapped = (*range(29, 19, -1), *range(20))
    assert ndcg(swapped, relevance) == 1.0, "what stands behind the tenth does not count"
    assert ndcg(tuple(range(30)), relevance) == 0.0
    assert ndcg((), []) == 1.0
    two = ndcg((0, 1), [1.0, 2.0])
    assert two == pytest.approx((1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3)))


def test_a_stubborn_judge_repeats_itself_and_a_biased_one_likes_the_first() -> None:
    judge = stubborn([1.0, 2.0, 3.0], 1.0, seed=4)
    assert judge((0, 1)) == judge((0, 1)) == tuple(reversed(judge((1, 0))))
    assert biased(perfect([0.0, 0.0, 0.0]), 2.0)((2, 0, 1)) == (0.0, -2.0, -4.0)


def test_repeating_helps_against_new_errors_and_not_against_the_same_ones() -> None:
    once, repeated = (trial(RepeatShuffled(times=times), seeds=SEEDS) for times in (1, 8))
    assert repeated.independent > once.independent + 0.1
    assert repeated.stubborn == pytest.approx(once.stubborn)
    assert once.exact == repeated.exact == 1.0
    assert (once.calls, once.steps, once.documents, once.largest_group) == (5, 1, 100, 20)
    assert once.first_stage < once.independent


def test_errors_about_documents_are_the_same_for_every_exact_schedule() -> None:
    found = {trial(schedule, seeds=SEEDS).stubborn for schedule in (Map(), Once(), SlidingWindow())}
    assert max(found) - min(found) < 1e-9
    assert trial(PointsTournament(), seeds=SEEDS).exact < 1


def test_no_seeds_are_refused() -> None:
    with pytest.raises(ConfigError, match="seeds"):
        trial(Map(), seeds=())


def test_chains_are_simulated_stage_by_stage() -> None:
    pairs = Scheduled(Pairs(Oracle()), Map())
    chain = schedule_of(pairs >> top(30, Scheduled(Pairs(Oracle()), SlidingWindow())))
    assert chain is not None
    done = simulate(chain, 100, perfect([float(i) for i in range(100)]))
    assert (done.calls, done.steps, done.order[:3]) == (102, 3, (99, 98, 97))
    assert schedule_of(Fallback((pairs, pairs))) == Map()
    assert schedule_of(object()) is None


def test_every_registered_method_is_in_the_table_once() -> None:
    rows = cost_rows(30, seeds=range(2))
    assert {method.name for method in registered()} <= {row.name for row in rows if row.tried}
    listed = [row.name for same in grouped(rows) for row in same]
    assert sorted(listed) == sorted(row.name for row in rows if row.tried)
    by_name = {row.name: row for row in rows}
    assert by_name["rankgpt"].written > 0 == by_name["first"].written
    assert by_name["yes-no"].read > 30 * 100 / 1000, "the prompt around a passage is read, too"
    assert len(markdown(rows).splitlines()) == 2 + len(grouped(rows))
    assert by_name["remote"].tried is None


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist.check.costs.SEEDS", range(2))
    assert main(["methods", "--cost", "--candidates", "20", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["rankgpt"]["tried"]["calls"] == 1
    assert main(["methods", "--cost", "--candidates", "20", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("| " + " | ".join(HEADINGS))
    assert main(["methods", "--cost", "--candidates", "20", "--passage-tokens", "50"]) == 0
    assert "20 candidates of 50 tokens" in capsys.readouterr().out
