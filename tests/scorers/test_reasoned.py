"""Two requests about each document: a thought, then the labels behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from shortlist.backends.fake import Broken, Noisy, Oracle
from shortlist.backends.fake.endpoint import FakeEndpoint
from shortlist.backends.http import OpenAICompatible
from shortlist.check import make_ranking
from shortlist.check.data import true_order
from shortlist.core.errors import ConfigError, OutputError
from shortlist.core.exchange import Completion, Request
from shortlist.core.protocols import Capability
from shortlist.core.types import MISSING, Candidate, Document, Query, Repair, Usage
from shortlist.drive import Scheduled
from shortlist.prompts import load_prompt
from shortlist.readouts import YesNo
from shortlist.rerank import rank1
from shortlist.schedules import Map
from shortlist.scorers.reasoned import Reasoned, ReasonedAsync, reasoned, whole_sentences

GROUP = (Query("q", "why"), (Candidate(Document("d", "because")),))
READOUT = YesNo(" true", " false", "probability")


@dataclass
class Scripted:
    """Thinks what it is told, and takes note of what it was asked."""

    thought: Completion
    labels: dict[str, float] = field(default_factory=lambda: {" true": 1.0, " false": 1.0})
    asked: list[Request] = field(default_factory=list)
    capabilities = frozenset({Capability.GENERATE, Capability.LABEL_LOGITS})
    digest = "scripted"

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        self.asked += requests
        return [self.answer(request) for request in requests]

    def answer(self, request: Request) -> Completion:
        if request.labels:
            return Completion(labels=self.labels, usage=Usage(1, 9, 1))
        return replace(self.thought, text=request.prefill + self.thought.text, usage=Usage(1, 7, 5))


def ask(backend: Scripted) -> tuple[Request, Request]:
    """The two requests about one document, with its call's score checked on the way."""
    (call,) = Reasoned(load_prompt("rank1"), READOUT, backend).score([GROUP])
    assert call.scores == (0.5,)
    assert call.usage == Usage(2, 16, 6)
    first, second = backend.asked
    return first, second


def test_the_label_is_asked_for_behind_the_closed_thought() -> None:
    backend = Scripted(Completion("\nIt says so.\n"))
    first, second = ask(backend)
    assert (first.labels, first.prefill, first.stop) == ((), "<think>", ("</think>",))
    assert first.max_tokens == 8192 - 8  # what closes a cut thought fits behind it
    assert (second.labels, second.begin) == ((" true", " false"), "<think>\nIt says so.\n</think>")
    assert first.prompt == second.prompt


@pytest.mark.parametrize(
    ("thought", "closed"),
    [
        ("\nIt rains. The sky is", "<think>\nIt rains.\n</think>"),
        ("It rains! ", "<think>\nIt rains!\n</think>"),
        ("no sentence at all ", "<think>\nno sentence at all\n</think>"),
        ("", "<think>\n\n</think>"),
    ],
)
def test_a_thought_that_was_cut_ends_at_its_last_sentence_and_is_closed_by_force(thought: str, closed: str) -> None:
    backend = Scripted(Completion(thought, finished=False))
    (call,) = Reasoned(load_prompt("rank1"), READOUT, backend).score([GROUP])
    assert backend.asked[1].begin == closed == call.output
    assert call.repairs == (Repair("forced_close", detail="5 tokens of thought"),)


def test_a_server_that_leaves_the_stop_string_in_is_understood() -> None:
    _, second = ask(Scripted(Completion("It says so.</think> true")))
    assert second.begin == "<think>It says so.</think>"


def test_labels_that_do_not_come_back_are_no_score_of_a_half() -> None:
    backend = Scripted(Completion("So."), labels={" true": -1.0})
    (call,) = Reasoned(load_prompt("rank1"), READOUT, backend).score([GROUP])
    assert call.scores == (MISSING,) and [r.kind for r in call.repairs] == ["label_not_returned"]
    with pytest.raises(OutputError, match="label_not_returned"):
        Reasoned(load_prompt("rank1"), READOUT, backend, "raise").score([GROUP])
    backend.asked.clear()
    (call,) = Reasoned(load_prompt("rank1"), READOUT, backend, "retry", retries=2).score([GROUP])
    assert [r.attempt for r in backend.asked] == [0, 0, 1, 1, 2, 2] and call.usage.calls == 6


def test_capabilities_are_checked_when_it_is_built() -> None:
    class LabelsOnly(Oracle):
        capabilities = frozenset({Capability.LABEL_LOGITS})  # type: ignore[assignment]

    with pytest.raises(ConfigError, match="Reasoned needs the capability generate"):
        Reasoned(load_prompt("rank1"), READOUT, LabelsOnly())
    with pytest.raises(ConfigError, match="expected what ends a thought"):
        Reasoned(load_prompt("rank1"), READOUT, Oracle(), close=" ")
    needs = Reasoned(load_prompt("rank1"), READOUT, Oracle()).requires
    assert needs == {Capability.GENERATE, Capability.LABEL_LOGITS}


def test_whole_sentences() -> None:
    assert [whole_sentences(t) for t in ("a. b", "a? b! c", "a", " . ", "")] == ["a.", "a? b!", "a", ".", ""]


def test_a_broken_model_leaves_no_document_out() -> None:
    start = make_ranking(20)
    (done,) = rank1.build(backend=Broken(rate=0.5), output="log_odds").rerank([start])
    assert sorted(done.ids) == sorted(start.ids) and done.repairs["label_not_returned"] > 0


@pytest.mark.parametrize("noise", [0.0, 9.0])
def test_an_endpoint_and_a_local_model_give_the_same(noise: float) -> None:
    readout = YesNo(" true", " false")
    fake = Noisy(sigma=noise) if noise else Oracle()
    template = replace(load_prompt("rank1"), prefix="{query}\n", body="[1] {passage}\n")  # what the endpoint reads
    rankings = [make_ranking(n, seed=n, query_id=f"q{n}", text=f"query {n}") for n in (3, 12)]
    with FakeEndpoint(backend=fake, readout=readout) as endpoint:
        remote = reasoned(template, readout, OpenAICompatible(f"{endpoint.url}/v1", "fake"))
        assert isinstance(remote, ReasonedAsync)
        done = Scheduled(remote, Map()).rerank(rankings)
        sync = remote.score([(r.query, [c]) for r in rankings for c in r.candidates])
        remote.backend.close()  # type: ignore[attr-defined]
        assert {s.path for s in endpoint.seen} == {"/v1/completions"}
        assert all(s.body.get("stop") == ["</think>"] for s in endpoint.seen if "logprobs" not in s.body)
    assert [c.usage.calls for c in sync] == [2] * 15
    assert sorted(c.scores for c in sync) == sorted(c.scores for r in done for c in r.trace)
    if not noise:
        assert [r.ids for r in done] == [true_order(3), true_order(12)]
