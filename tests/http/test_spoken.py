"""Stop strings and the log-probabilities of generated tokens, over HTTP."""

from __future__ import annotations

import math
from typing import Any

import pytest

from shortlist.check import make_ranking
from shortlist.check.data import true_order
from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Message, Request, Token
from shortlist.core.protocols import Capability
from shortlist.core.types import Candidate, Document, Query
from shortlist.drive import Scheduled
from shortlist.readouts import Rating
from shortlist.schedules import Map
from shortlist.scorers.prompted_async import prompted

ASK = (Message("user", "7 a text"),)


def spoken(*tokens: tuple[str, float | None]) -> dict[str, Any]:
    return {"content": [{"token": t, "logprob": p} for t, p in tokens]}


def test_stop_strings_are_sent_once_each_beside_the_users_own(can: Any, connect: Any, said: Any) -> None:
    server = can(said("so it is</think> true", finish="length"))
    request = Request(ASK, stop=("</think>", "\n\n"))
    completion = connect(server, extra={"stop": "\n\n"}).generate([request])[0]
    assert server.bodies[0]["stop"] == ["\n\n", "</think>"]
    assert completion.text == "so it is" and completion.finished  # a server that left the stop string in
    plain = connect(server).generate([Request(ASK)])[0]
    assert "stop" not in server.bodies[1] and plain.text == "so it is</think> true" and not plain.finished


@pytest.mark.parametrize("chat", [True, False])
def test_tokens_of_a_chat_and_of_a_plain_completion(can: Any, connect: Any, said: Any, reply: Any, chat: bool) -> None:
    logprobs = spoken(("<answer>", -0.1), ("7", -0.5))
    plain = {"tokens": ["<answer>", "7"], "token_logprobs": [-0.1, -0.5]}
    server = can(
        said("<answer>7", logprobs=logprobs)
        if chat
        else reply({"choices": [{"text": "<answer>7", "finish_reason": "stop", "logprobs": plain}]})
    )
    prompt = ASK if chat else "7 a text"
    completion = connect(server).generate([Request(prompt, logprobs=True)])[0]
    assert completion.tokens == (Token("<answer>", -0.1), Token("7", -0.5))
    assert server.bodies[0]["logprobs"] == (True if chat else 1)
    assert "top_logprobs" not in server.bodies[0]


@pytest.mark.parametrize(
    "logprobs",
    [None, {}, {"content": []}, spoken(("7", None)), spoken(("7", math.inf)), spoken(("<answer>", -0.1), ("7", None))],
)
def test_tokens_that_a_server_does_not_state_are_counted_and_the_grade_is_unweighted(
    can: Any, connect: Any, said: Any, listing: Any, logprobs: Any
) -> None:
    backend = connect(can(said("<answer>7</answer>", logprobs=logprobs)))
    scorer = prompted(listing(), Rating(weight="probability"), backend)
    (call,) = scorer.score([(Query("q", "why"), [Candidate(Document("d", "7 a text"))])])
    assert call.scores == (7.0,) and [r.kind for r in call.repairs] == ["unweighted"]
    assert backend.counts["token_logprobs_absent"] == 1


def test_an_endpoint_without_logprobs_is_refused_when_built(can: Any, connect: Any, said: Any, listing: Any) -> None:
    backend = connect(can(said("7")), top_logprobs=0)
    assert Capability.TOKEN_LOGPROBS not in backend.capabilities
    with pytest.raises(ConfigError, match="Rating needs the capability token_logprobs"):
        prompted(listing(), Rating(weight="probability"), backend)


@pytest.mark.parametrize("chat", [True, False])
def test_weighted_grades_come_through_an_endpoint(serve: Any, connect: Any, listing: Any, chat: bool) -> None:
    readout = Rating(high=200.0, weight="probability")
    backend = connect(serve(readout=readout))
    (done,) = Scheduled(prompted(listing(chat), readout, backend), Map()).rerank([make_ranking(20)])
    assert done.ids == true_order(20) and not done.repairs


@pytest.mark.parametrize("chat", [True, False])
def test_the_scripted_endpoint_honours_stop_and_says_its_tokens(serve: Any, connect: Any, chat: bool) -> None:
    backend = connect(serve())
    prompt: Any = (Message("user", "[1] 3 a\n[2] 5 b"),) if chat else "[1] 3 a\n[2] 5 b"
    whole, cut = backend.generate([Request(prompt, logprobs=True), Request(prompt, stop=(" >",), logprobs=True)])
    assert whole.text == "[2] > [1]" == "".join(t.text for t in whole.tokens)
    assert cut.text == "[2]" == "".join(t.text for t in cut.tokens) and cut.finished
    assert all(t.logprob < 0 for t in whole.tokens)
