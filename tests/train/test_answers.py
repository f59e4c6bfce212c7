"""Traces as training sets, and teachers that are believed where they agree with themselves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from shortlist import Candidate, Document, Query, Ranking, load
from shortlist.backends.fake import Oracle
from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Completion, Request
from shortlist.core.types import MISSING, Call, Repair, Usage
from shortlist.formats import read
from shortlist.pipeline import Stage
from shortlist.train import Grouping
from shortlist.train.answers import Answers
from shortlist.train.consistency import SelfConsistent, agreement_of, tau_b
from shortlist.train.generated import first_stage, generated
from shortlist.train.teachers import teach


def ranking(query: str = "q", numbers: Sequence[int] = (1, 3, 2)) -> Ranking:
    documents = [Document(f"d{i}", f"{n} text") for i, n in enumerate(numbers)]
    return Ranking(Query(query, query), tuple(Candidate(d, 9.0 - i) for i, d in enumerate(documents)))


@dataclass(frozen=True)
class Thinking(Oracle):
    """An oracle with a thought that its server keeps apart."""

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [replace(answer, reasoning="So be it.") for answer in super().generate(requests)]


def test_every_window_is_a_sample_of_what_was_shown_and_said(tmp_path: Path) -> None:
    teacher = load("rankgpt", backend=Thinking(), window=3, stride=2)
    report = teach([ranking("a", (1, 5, 2, 4, 3)), ranking("b")], teacher, tmp_path / "t.jsonl", answers=Answers())
    assert report.queries == 2
    samples = list(read(tmp_path / "t.jsonl"))
    assert [s.query.id for s in samples] == ["a#1", "a#2", "b"]
    first = samples[0]
    (call,) = first.trace
    assert call.group == ("d2", "d3", "d4")
    assert call.output == "<think>So be it.</think>\n[2] > [3] > [1]"
    assert first.ids == ("d3", "d4", "d2")  # best first; where each was shown is its first rank
    assert [c.first_rank for c in first.candidates] == [1, 2, 0]
    assert first.query.text == "a"
    assert first.candidates[0].document.text == "4 text"
    group = Grouping(answered=True).group(first, 0, 0)
    assert tuple(c.id for c in group.candidates) == call.group
    assert group.answers == (call,)
    record = json.loads((tmp_path / "t.jsonl.manifest.json").read_text())
    assert record["answers"]["kept"] == 3


def test_answers_about_single_documents_stay_together() -> None:
    (asked,) = load("erank", backend=Oracle(), high=200.0)([ranking()])
    (sample,) = Answers().samples(asked)
    assert sample.query.id == "q"
    assert [call.group for call in sample.trace] == [("d0",), ("d1",), ("d2",)]
    group = Grouping(answered=True, smallest=2, largest=2).group(sample, 0, 0)
    assert len(group.candidates) == 2
    assert {call.group[0] for call in group.answers} == {c.id for c in group.candidates}


def test_answers_that_had_to_be_mended_are_left_out_unless_asked_for() -> None:
    call = Call(("d0", "d1"), (2.0, 1.0), "[1] > [2]")
    calls = (
        call,
        replace(call, repairs=(Repair("appended_missing"),)),
        replace(call, repairs=(Repair("passage_cut"),)),
        replace(call, output=" "),
        Call(("d0", "d1"), (MISSING, MISSING), "no idea"),
        Call((), (), "a note"),
    )
    asked = replace(ranking(), trace=calls)
    counts: Counter[str] = Counter()
    assert len(list(Answers().samples(asked, counts))) == 2
    assert counts == {"kept": 2, "repaired": 1, "without a usable answer": 2}
    assert len(list(Answers(repaired=True).samples(asked))) == 3
    assert not list(Answers(repaired=True).samples(replace(asked, status="unscored")))


def test_bad_orders_are_left_out_where_judgements_say_so() -> None:
    judged = generated(1, 4, seed=3)[0]
    best = tuple(judged.ids)
    calls = [Call(best, tuple(range(4, 0, -1)), "good"), Call(best, (1.0, 2.0, 3.0, 4.0), "bad")]
    asked = replace(judged, trace=tuple(calls))
    assert [s.trace[0].output for s in Answers(least_ndcg=0.99).samples(asked)] == ["good"]
    assert [s.trace[0].output for s in Answers(least_ndcg=0.0).samples(asked)] == ["good", "bad"]
    unjudged = replace(asked, candidates=tuple(replace(c, document=Document(c.id, "")) for c in asked.candidates))
    assert len(list(Answers(least_ndcg=0.99).samples(unjudged))) == 2
    with pytest.raises(ConfigError, match="0 to 1"):
        Answers(least_ndcg=4)


def test_tau_b_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    rows = [(1.0, 2.0, 3.0, 3.0), (2.0, 1.0, 1.0, 4.0), (0.0, 5.0, 5.0, 5.0), (4.0, 3.0, 2.0, 1.0)]
    for one, other in combinations(rows, 2):
        found = tau_b(dict(zip("abcd", one, strict=True)), dict(zip("abcd", other, strict=True)))
        assert found == pytest.approx(stats.kendalltau(one, other).statistic)
    assert tau_b({"a": 1, "b": 1}, {"a": 2, "b": 2}) == 1.0


@dataclass
class Scripted(Stage):
    """Gives the scores of one run after the other; remembers what it was shown."""

    runs: list[dict[str, float]]
    shown: list[tuple[str, ...]] = field(default_factory=list)

    def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
        scores = self.runs[len(self.shown) % len(self.runs)]
        done = []
        for one in rankings:
            self.shown.append(one.ids)
            order = sorted(range(len(one.ids)), key=lambda i: -scores[one.ids[i]])
            call = Call(one.ids, tuple(scores[i] for i in one.ids), f"run {len(self.shown)}", usage=Usage(1, 10))
            done.append(one.reorder(order, [scores[i] for i in one.ids], trace=(call,)))
        return done


def runs(*orders: str) -> list[dict[str, float]]:
    return [{f"d{char}": float(len(order) - i) for i, char in enumerate(order)} for order in orders]


def test_queries_on_which_a_teacher_contradicts_itself_are_dropped() -> None:
    teacher = Scripted(runs("0123", "1023", "0132"))
    (kept,) = SelfConsistent(teacher, times=3, least=0.4)([ranking(numbers=(0, 0, 0, 0))])
    # tau 2/3 of the first with each of the others, 1/3 of these two
    assert agreement_of(kept) == pytest.approx((2 / 3 + 2 / 3 + 1 / 3) / 3, abs=1e-6)
    assert kept.ids == ("d0", "d1", "d2", "d3")
    assert [c.output for c in kept.trace if c.group] == ["run 1"]
    assert kept.usage.calls == 3 and kept.usage.prompt_tokens == 30
    assert teacher.shown[0] == ("d0", "d1", "d2", "d3")
    assert set(map(frozenset, teacher.shown)) == {frozenset(teacher.shown[0])}
    assert len(set(teacher.shown)) > 1, "later runs see another order"
    assert [c.first_rank for c in kept.candidates] == [0, 1, 2, 3]
    assert [c.first_score for c in kept.candidates] == [9.0, 8.0, 7.0, 6.0]
    (dropped,) = SelfConsistent(Scripted(runs("0123", "1023", "0132")), times=3, least=0.6)([ranking(numbers=(0,) * 4)])
    assert dropped.status == "unscored"
    assert "0.56, below 0.60" in dropped.reason
    assert dropped.usage.calls == 3


def test_the_mean_order_is_that_of_mean_ranks_as_self_consistency_has_it() -> None:
    (mean,) = SelfConsistent(Scripted(runs("0123", "1023", "1032")), times=3, least=-1, keep="mean")(
        [ranking(numbers=(0,) * 4)]
    )
    assert mean.ids == ("d1", "d0", "d2", "d3")
    assert not any(call.group for call in mean.trace)
    assert mean.usage.calls == 3


def test_of_grades_the_answer_nearest_to_the_mean_is_kept(tmp_path: Path) -> None:
    @dataclass
    class Grades(Stage):
        run: int = 0

        def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
            self.run += 1
            table = {"d0": (1.0, 2.0, 6.0), "d1": (9.0, 9.0, 6.0), "d2": (4.0, 4.0, 4.0)}
            done = []
            for one in rankings:
                scores = [table[i][self.run - 1] for i in one.ids]
                trace = tuple(Call((i,), (s,), f"{i} run {self.run}") for i, s in zip(one.ids, scores, strict=True))
                order = sorted(range(len(scores)), key=lambda i: -scores[i])
                done.append(one.reorder(order, scores, trace=trace))
            return done

    output = tmp_path / "t.jsonl"
    teach([ranking()], SelfConsistent(Grades(), times=3, least=0.0), output, answers=Answers(), batch=1)
    (kept,) = read(output)
    assert {c.id: c.score for c in kept.candidates} == {"d1": 8.0, "d2": 4.0, "d0": 3.0}
    assert sorted(call.output for call in kept.trace) == ["d0 run 2", "d1 run 1", "d2 run 1"]
    record = json.loads((tmp_path / "t.jsonl.manifest.json").read_text())
    assert record["consistency"]["kept"] == 1
    assert record["consistency"]["dropped"] == 0
    assert record["consistency"]["quartiles"][0] <= record["consistency"]["mean"]


def test_resampled_runs_are_asked_as_retries() -> None:
    seen: list[int] = []

    @dataclass(frozen=True)
    class Counting(Oracle):
        def generate(self, requests: Sequence[Request]) -> list[Completion]:
            seen.extend(request.attempt for request in requests)
            return super().generate(requests)

    teacher = load("rankgpt", backend=Counting())
    (kept,) = SelfConsistent(teacher, times=3, shuffle=False, resample=True)([ranking()])
    assert kept.ids == ("d1", "d2", "d0")
    assert seen == [0, 16, 32]
    assert agreement_of(kept) == 1.0
    with pytest.raises(ConfigError, match="language model"):
        SelfConsistent(Scripted(runs("012")), resample=True)([ranking()])
    for wrong in ({"times": 1}, {"shuffle": False}, {"keep": "best"}, {"least": 2.0}):
        with pytest.raises(ConfigError):
            SelfConsistent(teacher, **wrong)  # type: ignore[arg-type]
    grading = load("erank", backend=Oracle())
    with pytest.raises(ConfigError, match="--resample"):
        SelfConsistent(grading)  # it would agree with itself by 1, whatever it said
    assert SelfConsistent(grading, resample=True).times == 3
    with pytest.raises(ConfigError, match="nobody answered"):
        teach([], SelfConsistent(teacher, keep="mean"), Path("t.jsonl"), answers=Answers())


def test_the_manifest_counts_what_was_dropped(tmp_path: Path) -> None:
    rankings = first_stage(generated(2, 4, seed=1))
    ids = rankings[0].ids

    @dataclass
    class Moody(Stage):
        run: int = 0

        def apply(self, rankings: Sequence[Ranking], k: int | None = None) -> list[Ranking]:
            self.run += 1
            done = []
            for one in rankings:
                wanted = list(ids) if one.ids[0] in ids else sorted(one.ids)
                wanted = wanted[::-1] if self.run > 1 and one.query.id == "q1" else wanted
                done.append(one.reorder([one.ids.index(i) for i in wanted]))
            return done

    output = tmp_path / "t.jsonl"
    teach(rankings, SelfConsistent(Moody(), times=2), output)
    first, second = read(output)
    assert (first.status, second.status) == ("ranked", "unscored")
    assert first.trace == ()
    record: dict[str, Any] = json.loads((tmp_path / "t.jsonl.manifest.json").read_text())
    assert record["consistency"] == {"kept": 1, "dropped": 1, "mean": 0.0, "quartiles": [-1.0, -1.0, -1.0, 1.0, 1.0]}
    assert record["report"]["statuses"] == {"ranked": 1, "unscored": 1}
    assert "agree by -1.00" in record["report"]["reasons"]["q1"]


def test_answers_are_taught_from_the_command_line(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A teacher behind an endpoint answers; a student learns its words; another wish about answers is another job."""
    from shortlist.backends.fake.endpoint import FakeEndpoint
    from shortlist.cli import main

    output = tmp_path / "model"
    with FakeEndpoint() as endpoint:
        command = ["distil", "--teacher", "rankgpt", "--model", f"{endpoint.url}/v1",
                   "--option", "model=fake", "--option", 'api_key_env=""', "--student", "dear-stage-2", "--answers",
                   "clean", "--asks", "2", "--agreement", "-1",
                   "--set", "settings.device=cpu", "--smoke", "-o", str(output)]  # fmt: skip
        status = main(command)
        said = capsys.readouterr().err
        assert status == 0, said
        samples = list(read(output / "training" / "taught.jsonl"))
        assert samples
        assert all(one.trace[0].output.startswith("[") for one in samples)
        record = json.loads((output / "training" / "taught.jsonl.manifest.json").read_text())
        assert record["answers"]["kept"] == len(samples)
        assert record["consistency"]["kept"] == 24
        changed = [word for word in command if word not in ("--answers", "clean")]
        assert main([*changed, "--resume"]) == 2
        assert "--answers" in capsys.readouterr().err
        assert main([*changed, "--least-ndcg", "0.4"]) == 2
