"""What is sent to an OpenAI-compatible endpoint, and what is read from its answers."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from typing import Any

import pytest

from shortlist.backends.fake import Oracle
from shortlist.backends.http import EndpointError, OpenAICompatible, Structured
from shortlist.check import make_ranking
from shortlist.check.data import true_order
from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Message, Request
from shortlist.core.params import from_toml, to_toml
from shortlist.core.protocols import Capability
from shortlist.core.types import Usage
from shortlist.drive import Scheduled
from shortlist.readouts import FirstToken, Permutation, YesNo
from shortlist.schedules import Map, Once, SlidingWindow
from shortlist.scorers import Prompted
from shortlist.scorers.prompted_async import prompted

ASK = Request((Message("system", "You rank."), Message("user", "[1] a [2] b")))


def top(*shown: tuple[str, float], token: str | None = None) -> dict[str, Any]:
    """One position of a chat completion's logprobs."""
    listed = [{"token": t, "logprob": v} for t, v in shown]
    return {"token": token or shown[0][0], "logprob": shown[0][1], "top_logprobs": listed}


def test_a_chat_request_holds_the_turns_and_the_sampling(can: Any, connect: Any, said: Any) -> None:
    server = can(said("[2] > [1]", usage={"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}))
    backend = connect(server, top_p=0.9, seed=5, extra={"chat_template_kwargs": {"enable_thinking": False}})
    completion = backend.generate([ASK])[0]
    assert completion.text == "[2] > [1]" and completion.finished
    assert completion.usage == Usage(1, 7, 5)
    assert server.paths == ["/v1/chat/completions"]
    assert server.bodies == [
        {
            "model": "fake",
            "messages": [{"role": "system", "content": "You rank."}, {"role": "user", "content": "[1] a [2] b"}],
            "max_tokens": 256,
            "temperature": 0.0,
            "top_p": 0.9,
            "seed": 5,
            "chat_template_kwargs": {"enable_thinking": False},
        }
    ]


def test_a_retry_is_another_question_and_extra_wins(can: Any, connect: Any, said: Any) -> None:
    server = can(said())
    again = Request(ASK.prompt, attempt=2)
    connect(server, seed=5).generate([again])
    connect(server, retry_temperature=None, max_tokens_field="max_completion_tokens").generate([again])
    connect(server, temperature=None, extra={"max_tokens": 3}).generate([again])
    first, second, third = server.bodies
    assert (first["temperature"], first["seed"]) == (0.5, 7)
    assert second["temperature"] == 0.0 and second["max_completion_tokens"] == 256 and "max_tokens" not in second
    assert "temperature" not in third and "seed" not in third and third["max_tokens"] == 3


def test_a_raw_prompt_goes_to_the_completions_route(can: Any, connect: Any, reply: Any) -> None:
    server = can(reply({"choices": [{"text": " [1]", "finish_reason": "length"}]}))
    completion = connect(server).generate([Request("Rank: ", prefill="[", max_tokens=9)])[0]
    assert server.paths == ["/v1/completions"]
    assert server.bodies[0]["prompt"] == "Rank: [" and server.bodies[0]["max_tokens"] == 9
    assert completion.text == "[ [1]" and not completion.finished


def test_a_raw_prompt_may_go_as_a_message(can: Any, connect: Any, said: Any) -> None:
    server = can(said())
    connect(server, raw="chat").generate([Request("Rank: ")])
    assert server.paths == ["/v1/chat/completions"]
    assert server.bodies[0]["messages"] == [{"role": "user", "content": "Rank: "}]


@pytest.mark.parametrize(
    ("mode", "message", "flags", "written"),
    [
        ("message", {"role": "assistant", "content": "["}, {}, "2] > [1]"),
        (
            "continue",
            {"role": "assistant", "content": "["},
            {"add_generation_prompt": False, "continue_final_message": True},
            "2] > [1]",
        ),
        ("prefix", {"role": "assistant", "content": "[", "prefix": True}, {}, "2] > [1]"),
        ("prefix", {"role": "assistant", "content": "[", "prefix": True}, {}, "[2] > [1]"),
    ],
)
def test_a_prefill_is_sent_as_the_endpoint_wants_it_and_stands_in_the_text(
    can: Any, connect: Any, said: Any, mode: Any, message: Any, flags: Any, written: str
) -> None:
    server = can(said(written))
    completion = connect(server, prefill=mode).generate([Request(ASK.prompt, prefill="[")])[0]
    assert server.bodies[0]["messages"][-1] == message
    assert {k: server.bodies[0][k] for k in flags} == flags
    assert completion.text == "[2] > [1]"


def test_a_prefill_that_cannot_be_sent_is_counted_and_labels_are_found_behind_it(
    can: Any, connect: Any, said: Any, caplog: pytest.LogCaptureFixture
) -> None:
    logprobs = {"content": [top(("[", -0.1), ("A", -3.0)), top(("B", -0.2), ("A", -1.8))]}
    server = can(said("[B", logprobs=logprobs))
    backend = connect(server)
    with caplog.at_level(logging.WARNING):
        done = backend.generate([Request(ASK.prompt, ("A", "B"), "[")] * 2)
    assert done[0].labels == {"A": -1.8, "B": -0.2}
    assert server.bodies[0]["max_tokens"] == 3 and server.bodies[0]["messages"][-1]["role"] == "user"
    assert backend.counts["prefill_not_sent"] == 2
    assert sum("prefill '['" in r.message for r in caplog.records) == 1, "said once"
    other = can(said("I", logprobs={"content": [top(("I", -0.1), ("A", -3.0)), top((" think", -0.1))]}))
    assert connect(other).generate([Request(ASK.prompt, ("A", "B"), "[")])[0].labels == {}, "it never wrote it"


def test_labels_merge_their_variants_and_leave_out_what_was_not_shown(can: Any, connect: Any, said: Any) -> None:
    shown = [(" A", -0.5), ("A", -2.0), ("a", -0.1), ("B.", -0.3), ("\u2581C", -4.0), ("D", -9999.0), ("E", -3.0)]
    server = can(said("A", logprobs={"content": [top(*shown)]}))
    completion = connect(server, top_logprobs=7).generate([Request(ASK.prompt, ("A", "B", "C", "D", "E"))])[0]
    assert completion.labels == {"A": -0.5, "C": -4.0, "E": -3.0}
    body = server.bodies[0]
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 7, 1)


def test_labels_of_a_plain_completion(can: Any, connect: Any, reply: Any) -> None:
    logprobs = {"tokens": [" yes"], "token_logprobs": [-0.2], "top_logprobs": [{" yes": -0.2, "no": -1.7}]}
    server = can(reply({"choices": [{"text": " yes", "logprobs": logprobs}]}))
    completion = connect(server, top_logprobs=5).generate([Request("Relevant?", ("yes", "no"))])[0]
    assert completion.labels == {"yes": -0.2, "no": -1.7} and server.bodies[0]["logprobs"] == 5


def test_an_endpoint_without_logprobs_is_told_from_a_label_that_was_not_shown(
    can: Any, connect: Any, said: Any
) -> None:
    server = can(said("A"))
    with pytest.raises(EndpointError, match=r"without logprobs.*after 1 attempt.*|top_logprobs=0"):
        connect(server).generate([Request(ASK.prompt, ("A",))])
    assert len(server.bodies) == 1, "asking again would not help"
    none = connect(server, top_logprobs=0)
    assert none.capabilities == {Capability.GENERATE}
    with pytest.raises(ConfigError, match="FirstToken needs the capability label_logits"):
        Prompted(None, FirstToken(), none)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="top_logprobs=0"):
        none.generate([Request(ASK.prompt, ("A",))])


@pytest.mark.parametrize("chat", [True, False])
def test_first_token_ranks_by_the_labels_of_an_endpoint(serve: Any, connect: Any, listing: Any, chat: bool) -> None:
    endpoint = serve(readout=FirstToken())
    scorer = prompted(listing(chat), FirstToken(), connect(endpoint))
    (done,) = Scheduled(scorer, SlidingWindow(10, 5)).rerank([make_ranking(23)])
    assert done.ids[:5] == true_order(23)[:5] and done.status == "ranked" and not done.repairs
    labels = [math.exp(s) for s in done.trace[0].scores]
    assert math.fsum(labels) == pytest.approx(1.0), "log-probabilities"


def test_labels_beyond_the_twenty_that_are_shown_are_missing_and_counted(
    serve: Any, connect: Any, listing: Any
) -> None:
    scorer = prompted(listing(), FirstToken(), connect(serve(readout=FirstToken())))
    (done,) = Scheduled(scorer, Once()).rerank([make_ranking(26)])
    assert done.repairs["label_not_returned"] == 6
    assert done.trace[0].repairs[0].detail == "20 of 26 labels returned"
    assert done.ids[:20] == true_order(26)[:20] and sorted(done.ids) == sorted(true_order(26))
    with pytest.raises(EndpointError, match="21 is more than 20"):
        connect(serve(readout=FirstToken()), top_logprobs=21).generate([Request(ASK.prompt, ("A",))])


def test_yes_and_no_are_comparable_across_calls(serve: Any, connect: Any, listing: Any) -> None:
    def share(_: str, document: str) -> float:
        return float(document.split()[0]) / 10

    scorer = prompted(listing(), YesNo(), connect(serve(readout=YesNo(), backend=Oracle(share))))
    (done,) = Scheduled(scorer, Map()).rerank([make_ranking(12)])
    assert done.ids == true_order(12)
    assert [c.score for c in done.candidates] == pytest.approx([i / 10 for i in range(11, -1, -1)])


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_out_of_the_text(can: Any, connect: Any, said: Any, field: str) -> None:
    server = can(said("[2] > [1]", **{field: "Perhaps [1] > [2]?"}), said(None, finish="length", **{field: "Hm"}))
    backend = connect(server, concurrency=1)
    done = backend.generate([ASK, ASK])
    assert [(c.text, c.finished) for c in done] == [("[2] > [1]", True), ("", False)]
    assert backend.counts["reasoning_separated"] == 2


def test_content_in_parts_and_refusals_are_text(can: Any, connect: Any, said: Any) -> None:
    server = can(said([{"type": "text", "text": "[1]"}, {"type": "x"}, {"type": "text", "text": " > [2]"}]))
    assert connect(server).generate([ASK])[0].text == "[1] > [2]"
    assert connect(can(said(None, refusal="I cannot."))).generate([ASK])[0].text == "I cannot."


def test_usage_with_cached_tokens_and_its_absence(
    can: Any, connect: Any, said: Any, caplog: pytest.LogCaptureFixture
) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    assert connect(can(said(usage=usage))).generate([ASK])[0].usage == Usage(1, 9, 2, 4)
    assert connect(can(said(usage={"prompt_tokens": None}))).generate([ASK])[0].usage == Usage(1)
    backend = connect(can(said()))
    with caplog.at_level(logging.WARNING):
        assert {c.usage for c in backend.generate([ASK] * 3)} == {Usage(1)}
    assert backend.counts["usage_absent"] == 3
    assert sum("no token usage" in r.message for r in caplog.records) == 1


@pytest.mark.parametrize(
    ("structured", "fields"),
    [
        (
            Structured("json_schema", {"type": "object"}),
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
                }
            },
        ),
        (Structured("regex", r"\[\d\]", "vllm"), {"structured_outputs": {"regex": r"\[\d\]"}}),
        (Structured("choice", ("yes", "no"), "vllm-guided"), {"guided_choice": ["yes", "no"]}),
        (Structured("regex", "a|b", "sglang"), {"regex": "a|b"}),
        (Structured("json_schema", {"type": "object"}, "sglang"), {"json_schema": '{"type": "object"}'}),
    ],
)
def test_structured_output_in_the_servers_own_words(
    can: Any, connect: Any, said: Any, structured: Structured, fields: Any
) -> None:
    server = can(said(logprobs={"content": [top(("A", -1.0))]}))
    backend = connect(server, structured=structured, concurrency=1)
    backend.generate([ASK, Request(ASK.prompt, ("A",))])
    assert {k: server.bodies[0].get(k) for k in fields} == fields
    assert not fields.keys() & server.bodies[1].keys(), "label logits must not be bent by a grammar"


def test_what_a_server_does_not_offer_is_refused_when_built() -> None:
    with pytest.raises(ConfigError, match="'regex' is not offered by the dialect 'openai'; it has: json_schema"):
        Structured("regex", "a")
    with pytest.raises(ConfigError, match="wrong kind of value"):
        Structured("choice", "yes", "vllm")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"base_url": "localhost:8000"}, "expected http://"),
        ({"base_url": "http://u:secret@h/v1"}, "holds a password"),
        ({"base_url": "http://h/v1/chat/completions"}, "names a route"),
        ({"model": ""}, "model is empty"),
        ({"top_logprobs": -1}, "expected 0 or more"),
        ({"prefill": "yes"}, "expected one of none, message, continue, prefix"),
        ({"concurrency": 0}, "concurrency=0: expected 1 or more"),
        ({"max_attempts": 0}, "max_attempts=0"),
        ({"timeout": 0.0}, "timeout=0.0: expected seconds"),
    ],
)
def test_wrong_parameters_are_refused_when_built(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        OpenAICompatible(**{"base_url": "http://h/v1", "model": "m", **params})
    assert "secret" not in str(caught.value)


def test_the_digest_is_of_what_decides_the_answer() -> None:
    plain = OpenAICompatible("http://h/v1", "m")
    assert plain.digest == OpenAICompatible("http://h/v1", "m", timeout=3, concurrency=1, api_key_env=None).digest
    others: list[dict[str, Any]] = [
        {"base_url": "http://g/v1"}, {"model": "n"}, {"temperature": 1.0}, {"seed": 1}, {"prefill": "message"},
        {"extra": {"x": 1}}, {"top_logprobs": 5}, {"structured": Structured("json_schema", {})},
    ]  # fmt: skip
    digests = {OpenAICompatible(**{"base_url": "http://h/v1", "model": "m", **other}).digest for other in others}
    assert len(digests | {plain.digest}) == len(others) + 1


def test_parameters_survive_toml_and_copies(can: Any, connect: Any, said: Any) -> None:
    import copy
    import pickle

    server = can(said("hello"))
    backend = OpenAICompatible(f"{server.url}/v1", "m", api_key_env=None, extra={"a": 1}, timeout=9.0)
    for twin in (from_toml(to_toml(backend)), copy.deepcopy(backend), pickle.loads(pickle.dumps(backend))):
        assert twin == backend and twin.digest == backend.digest
        assert twin.generate([ASK])[0].text == "hello"
        twin.close()


def test_the_key_is_sent_but_never_shown(
    serve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = serve(api_key="sk-right")
    monkeypatch.setenv("SOME_KEY", "sk-wrong")
    caplog.set_level(logging.DEBUG, logger="shortlist")
    backend = connect(endpoint, api_key_env="SOME_KEY")
    with pytest.raises(EndpointError, match=r"401 .Incorrect API key provided.*SOME_KEY is not accepted") as caught:
        backend.generate([ASK])
    assert caught.value.status == 401 and caught.value.attempts == 1
    monkeypatch.delenv("SOME_KEY")
    with pytest.raises(EndpointError, match="no key was sent: the environment variable SOME_KEY is not set"):
        backend.generate([ASK])
    with pytest.raises(EndpointError, match="name the environment variable that holds it in api_key_env"):
        connect(endpoint).generate([ASK])
    monkeypatch.setenv("SOME_KEY", "sk-right")
    assert backend.generate([ASK])[0].text == "[1]"
    shown = repr(backend) + backend.digest + str(caught.value) + caplog.text + to_toml(backend)
    assert "sk-" not in shown


def test_hard_texts_reach_the_server(can: Any, connect: Any, said: Any) -> None:
    server = can(said("[1]"))
    text = "\ud800 lone, \x00 nul, \U0001f600, \u202e, </s>"
    connect(server).generate([Request((Message("user", text),))])
    assert server.bodies[0]["messages"][0]["content"] == text.replace("\ud800", "?")


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        {},
        {"choices": []},
        {"choices": [None]},
        {"choices": [{"message": None}]},
        {"choices": {"0": 1}},
        {"error": {"message": "upstream is down", "code": 502}},
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"choices": [' + b"9" * 5000 + b"]}",
    ],
)
def test_answers_of_the_wrong_form_are_retried_and_then_said(can: Any, connect: Any, reply: Any, body: Any) -> None:
    server = can(reply(body))
    with pytest.raises(EndpointError, match="after 3 attempts") as caught:
        connect(server, max_attempts=3).generate([ASK])
    assert len(server.bodies) == 3 and len(str(caught.value)) < 600
    if isinstance(body, dict) and "error" in body:
        assert "upstream is down" in str(caught.value)


@pytest.mark.parametrize(
    "logprobs",
    [
        {"content": []},
        {"content": [None, {"token": None}]},
        {"content": [{"token": "A", "logprob": "x", "top_logprobs": [1, {"token": 3, "logprob": 1}]}]},
        {"content": [{"token": "A", "logprob": float("nan"), "top_logprobs": None}]},
    ],
)
def test_odd_logprobs_are_labels_that_were_not_returned(can: Any, connect: Any, said: Any, logprobs: Any) -> None:
    completion = connect(can(said("A", logprobs=logprobs))).generate([Request(ASK.prompt, ("A", "B"))])[0]
    assert completion.labels == {}


def test_it_works_inside_a_running_loop_and_keeps_its_connection(
    serve: Any, connect: Any, listing: Callable[..., Any]
) -> None:
    import asyncio

    endpoint = serve()
    backend = connect(endpoint, concurrency=1)
    reranker = Scheduled(prompted(listing(), Permutation(), backend), Once())

    async def notebook() -> Any:
        return await reranker.arerank([make_ranking(4)]), reranker.rerank([make_ranking(4)])

    first, second = asyncio.run(notebook())
    assert first == second == reranker.rerank([make_ranking(4)])
    assert json.dumps(endpoint.seen[0].body) == json.dumps(endpoint.seen[1].body)
    assert endpoint.connections == 1, "three event loops, one connection"
