"""What goes over the wire: answers as OpenAI's clients read them, and a clear refusal for everything else."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from shortlist.core.errors import ConfigError
from shortlist.core.exchange import Message
from shortlist.serve import LanguageModelServer, Limits

CHAT, PLAIN = "/v1/chat/completions", "/v1/completions"
HELLO = {"messages": [{"role": "user", "content": "hello"}]}


def test_a_chat_is_answered(client: Any, echo: Any) -> None:
    answer = client.chat("one two three", model="echo", max_tokens=8)
    assert answer.status == 200 and answer.text == " one two three"
    (choice,) = answer.body["choices"]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    assert choice["message"] == {"role": "assistant", "content": " one two three", "refusal": None}
    assert answer.body["object"] == "chat.completion" and answer.body["id"].startswith("chatcmpl-")
    assert answer.body["model"] == "echo" and answer.body["system_fingerprint"] == "echo-1"
    assert answer.body["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 3,
        "total_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 2},
    }
    assert client.chat("one two three", max_tokens=2).body["choices"][0]["finish_reason"] == "length"
    ((request,), _) = echo.batches
    assert request.temperature is None and request.seed is None, "the backend's own"


def test_plain_prompts_are_answered_one_choice_each(client: Any, echo: Any) -> None:
    answer = client.complete(["a b", "c"], max_tokens=4, temperature=0.5, seed=7, stop=["x", "y"])
    assert [c["text"] for c in answer.body["choices"]] == [" a b", " c"]
    assert [c["index"] for c in answer.body["choices"]] == [0, 1]
    assert answer.body["object"] == "text_completion" and answer.body["usage"]["prompt_tokens"] == 3
    (batch,) = echo.batches
    assert [(r.prompt, r.temperature, r.seed, r.stop, r.max_tokens) for r in batch] == [
        ("a b", 0.5, 7, ("x", "y"), 4),
        ("c", 0.5, 7, ("x", "y"), 4),
    ]
    assert client.complete("x " * 20).body["usage"]["completion_tokens"] == 16, "OpenAI's default"


def test_log_probabilities_of_a_chat(client: Any) -> None:
    answer = client.chat("yes no", logprobs=True, top_logprobs=4, max_tokens=9)
    entries = answer.body["choices"][0]["logprobs"]["content"]
    assert [(e["token"], e["logprob"]) for e in entries] == [(" yes", -0.5), (" no", -0.5), ("<end>", -0.25)]
    assert entries[0]["bytes"] == list(b" yes")
    shown = [(e["token"], e["logprob"]) for e in client.chat("yes", logprobs=True, top_logprobs=20).body["choices"][0][
        "logprobs"
    ]["content"][0]["top_logprobs"]]  # fmt: skip
    assert shown[:2] == [(" yes", -0.5), ("other0", -1.0)] and len(shown) == 20
    assert client.chat("yes", logprobs=True).body["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == []


def test_log_probabilities_of_a_plain_completion(client: Any) -> None:
    found = client.complete("yes no", logprobs=3, max_tokens=9).body["choices"][0]["logprobs"]
    assert found["tokens"] == [" yes", " no", "<end>"] and found["token_logprobs"] == [-0.5, -0.5, -0.25]
    assert found["text_offset"] == [0, 4, 7]
    assert found["top_logprobs"][1] == {" no": -0.5, "other0": -1.0, "other1": -2.0}
    assert client.complete("yes", logprobs=0).body["choices"][0]["logprobs"]["top_logprobs"] == [{}, {}]


def test_no_infinity_is_written(serve: Any, echo: Any) -> None:
    client = serve(echo, limits=Limits(top_logprobs=30))
    raw = client.chat("yes", logprobs=True, top_logprobs=30)
    top = raw.body["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    assert len(top) == 30
    assert client.chat("yes", logprobs=True, top_logprobs=2).status == 200
    echo.context = None
    (request,) = echo.batches[0]
    assert request.top == 30
    plain = json.dumps(client.complete("yes", logprobs=30).body)
    assert "Infinity" not in plain and "NaN" not in plain


@pytest.mark.parametrize("more", [{}, {"continue_final_message": True, "add_generation_prompt": False}])
def test_a_last_assistant_message_is_the_begin_of_the_answer(client: Any, echo: Any, more: dict[str, Any]) -> None:
    answer = client.chat("one two", "Ranking: [", **more)
    ((request,),) = echo.batches
    assert request.prefill == "Ranking: [" and request.prompt == (Message("user", "one two"),)
    assert answer.text == " one two", "clients put what they sent in front themselves"


def test_mistrals_prefix_and_a_closed_turn(client: Any, echo: Any) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "prefix": True}]
    assert client.post(CHAT, {"messages": turns}).status == 200
    assert client.post(CHAT, {"messages": turns, "continue_final_message": False}).status == 200
    (begun,), (closed,) = echo.batches
    assert begun.prefill == "b" and closed.prefill == "" and closed.prompt[-1] == Message("assistant", "b")


def test_content_in_parts_and_developer_messages(client: Any, echo: Any) -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    turns = [{"role": "developer", "content": "be brief"}, {"role": "user", "content": parts}]
    assert client.post(CHAT, {"messages": turns}).text == " one two"
    ((request,),) = echo.batches
    assert request.prompt == (Message("system", "be brief"), Message("user", "one two"))


def test_stop_strings(client: Any) -> None:
    assert client.chat("one two three", stop=" three").text == " one two"
    answer = client.complete("one two three", stop=["nothing", "wo"])
    assert answer.text == " one t" and answer.body["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "text",
    ["\u8df3\u86a4 \U0001f41c na\u00efve", "\x00 nul", "a\u202eb", "<|im_end|>", '"quoted" \\ {}', "\u2028\u2029 x"],
)
def test_unicode_comes_back_as_it_went(client: Any, text: str) -> None:
    assert client.chat(text).text == "".join(f" {word}" for word in text.split())
    raw = json.dumps({"prompt": text}, ensure_ascii=False).encode()
    assert client.post(PLAIN, raw).text == "".join(f" {word}" for word in text.split())


def test_half_a_surrogate_pair_is_no_failure(client: Any) -> None:
    answer = client.post(PLAIN, b'{"prompt": "a \\ud800 b"}')
    assert answer.status == 200 and answer.text == " a \ud800 b"


def test_models_and_health(client: Any) -> None:
    listed = client.send("GET", "/v1/models").body
    assert listed["object"] == "list" and [m["id"] for m in listed["data"]] == ["echo"]
    assert listed["data"][0]["max_model_len"] == 40
    assert client.send("GET", "/v1/models/echo").body == listed["data"][0]
    assert client.send("GET", "/v1/models/other").status == 404
    assert client.send("GET", "/health").body == {"status": "ok"}
    assert client.send("GET", "/v1/models?x=1").status == 200


@pytest.mark.parametrize(
    ("route", "body", "status", "code", "says"),
    [
        (CHAT, b"{", 400, "invalid_json", "not JSON"),
        (CHAT, b"", 400, "invalid_json", "not JSON"),
        (CHAT, b"[1]", 400, "invalid_json", "not a JSON object"),
        (CHAT, b"[" * 100_000, 400, "invalid_json", "not JSON"),
        (CHAT, b"\xff\xfe", 400, "invalid_json", "not JSON"),
        (CHAT, {}, 400, "invalid_value", "messages: expected a list"),
        (CHAT, {"messages": []}, 400, "invalid_value", "messages: expected a list of at least one"),
        (CHAT, {"messages": ["x"]}, 400, "invalid_value", "messages[0]: expected an object"),
        (CHAT, {"messages": [{"role": "tool", "content": "x"}]}, 400, "invalid_value", "messages[0].role"),
        (CHAT, {"messages": [{"role": "user", "content": 3}]}, 400, "invalid_value", "messages[0].content"),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "invalid_value", "type text"),
        (CHAT, {"messages": [{"role": "assistant", "content": "x"}]}, 400, "invalid_value", "a message stands before"),
        (CHAT, HELLO | {"continue_final_message": True}, 400, "invalid_value", "nothing can be continued"),
        (CHAT, HELLO | {"model": "gpt-5"}, 404, "model_not_found", "'gpt-5' does not exist"),
        (CHAT, HELLO | {"model": 3}, 404, "model_not_found", "does not exist"),
        (CHAT, HELLO | {"stream": True}, 400, "unsupported_parameter", "stream: this server does not offer it"),
        (CHAT, HELLO | {"n": 2}, 400, "unsupported_parameter", "n: this"),
        (CHAT, HELLO | {"top_p": 0.5}, 400, "unsupported_parameter", "top_p: this"),
        (CHAT, HELLO | {"tools": [{}]}, 400, "unsupported_parameter", "tools: this"),
        (CHAT, HELLO | {"response_format": {"type": "json_object"}}, 400, "unsupported_parameter", "response_format"),
        (CHAT, HELLO | {"max_tokens": 0}, 400, "invalid_value", "max_tokens: expected a whole number from 1 to 16384"),
        (CHAT, HELLO | {"max_completion_tokens": 20000}, 400, "invalid_value", "max_completion_tokens: expected"),
        (CHAT, HELLO | {"max_tokens": 2.5}, 400, "invalid_value", "max_tokens: expected"),
        (CHAT, HELLO | {"max_tokens": True}, 400, "invalid_value", "max_tokens: expected"),
        (CHAT, HELLO | {"temperature": 3}, 400, "invalid_value", "temperature: expected a number from 0 to 2"),
        (CHAT, HELLO | {"temperature": float("nan")}, 400, "invalid_value", "temperature: expected"),
        (CHAT, HELLO | {"temperature": "0"}, 400, "invalid_value", "temperature: expected"),
        (CHAT, HELLO | {"seed": "x"}, 400, "invalid_value", "seed: expected"),
        (CHAT, HELLO | {"logprobs": 5}, 400, "invalid_value", "logprobs: expected true or false"),
        (CHAT, HELLO | {"top_logprobs": 5}, 400, "invalid_value", "top_logprobs: it needs logprobs"),
        (CHAT, HELLO | {"logprobs": True, "top_logprobs": 21}, 400, "invalid_value", "from 0 to 20"),
        (CHAT, HELLO | {"stop": [""]}, 400, "invalid_value", "stop: expected"),
        (CHAT, HELLO | {"stop": ["x"] * 17}, 400, "invalid_value", "stop: 17 strings"),
        (PLAIN, {"prompt": [1, 2]}, 400, "invalid_value", "prompt: expected a text"),
        (PLAIN, {"prompt": []}, 400, "invalid_value", "prompt: expected a text"),
        (PLAIN, {"prompt": ["x"] * 129}, 400, "invalid_value", "129 prompts"),
        (PLAIN, {"prompt": "x", "echo": True}, 400, "unsupported_parameter", "echo: this"),
        (PLAIN, {"prompt": "x", "logprobs": True}, 400, "invalid_value", "logprobs: expected a whole number"),
        (PLAIN, {"prompt": "x " * 41}, 400, "context_length_exceeded", "maximum context length is 40 tokens"),
        (CHAT, HELLO | {"max_tokens": 40}, 400, "context_length_exceeded", "1 in the messages, 40 in the completion"),
        ("/v1/embeddings", {}, 404, "unknown_url", "no route /v1/embeddings"),
        ("/", {}, 404, "unknown_url", "no route /"),
    ],
)  # fmt: skip
def test_refusals_say_what_was_expected(
    client: Any, echo: Any, route: str, body: Any, status: int, code: str, says: str
) -> None:
    answer = client.post(route, body)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert says in answer.error["message"] and len(answer.error["message"]) <= 500
    assert answer.error["type"] == ("not_found_error" if status == 404 else "invalid_request_error")
    assert echo.batches == [], "nothing was computed"
    assert client.chat("still here").status == 200


def test_null_is_as_good_as_absent(client: Any) -> None:
    names = (
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "seed",
        "stop",
        "logprobs",
        "top_logprobs",
        "n",
        "tools",
    )
    body = HELLO | dict.fromkeys((*names, "stream", "model", "continue_final_message"), None)
    assert client.post(CHAT, body).status == 200
    assert client.complete("x", **dict.fromkeys(names)).status == 200
    assert client.post(CHAT, HELLO | {"user": "me", "metadata": {}, "top_p": 1.0, "n": 1}).status == 200


def test_a_prompt_that_fits_to_the_last_token_is_answered(client: Any) -> None:
    assert client.complete("x " * 39).status == 200, "room for one token, and how many was not said"
    assert client.complete("x " * 39, max_tokens=1).status == 200
    assert client.complete("x " * 39, max_tokens=2).status == 400
    assert client.complete("x " * 40).status == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods_are_refused(client: Any, method: str) -> None:
    if method == "HEAD":  # its answer has no body that could be read
        with socket.create_connection(("127.0.0.1", client.port), timeout=5) as raw:
            raw.sendall(b"HEAD /v1/completions HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = raw.recv(1000)
            assert answer.startswith(b"HTTP/1.1 405 ") and answer.endswith(b"\r\n\r\n")
        return
    answer = client.send(method, CHAT)
    assert answer.status == 405 and answer.error["message"] == f"{CHAT} takes POST, not {method}"
    assert client.post("/v1/models", {}).status == 405


def test_bodies_have_a_length_and_a_limit(serve: Any, echo: Any) -> None:
    client = serve(echo, limits=Limits(body=200))
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\n"
    for more, status in (
        (b"\r\n", b"411"),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"Content-Length: -1\r\n\r\n", b"400"),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", b"413"),
    ):
        with socket.create_connection(("127.0.0.1", client.port), timeout=5) as raw:
            raw.sendall(head + more)
            assert raw.recv(100).startswith(b"HTTP/1.1 " + status)
    fits = json.dumps({"prompt": "x"}).encode().ljust(200)
    assert client.post(PLAIN, fits).status == 200
    assert client.post(PLAIN, fits + b" ").error["code"] == "body_too_large"
    assert client.post(PLAIN, b"x" * 3_000_000).status == 413, "the answer is seen, though the body was not read"


def test_a_bad_request_line_is_answered_in_json(client: Any) -> None:
    with socket.create_connection(("127.0.0.1", client.port), timeout=5) as raw:
        raw.sendall(b"NONSENSE\r\n\r\n")
        assert b'"error"' in raw.recv(1000)


def test_a_key_is_wanted_everywhere_but_for_health(
    serve: Callable[..., Any], echo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVE_KEY", "s3cret")
    client = serve(echo, api_key_env="SERVE_KEY")
    assert "s3cret" not in repr(client.server)
    routes = [("POST", CHAT), ("POST", PLAIN), ("GET", "/v1/models"), ("GET", "/v1/models/echo"), ("GET", "/x")]
    for method, route in routes:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}, {"Authorization": "é"}):
            body = b"{}" if method == "POST" else None
            answer = client.send(method, route, body, **headers)
            assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
    assert client.send("GET", "/health").status == 200
    assert client.post(CHAT, HELLO, Authorization="Bearer s3cret").status == 200
    monkeypatch.delenv("SERVE_KEY")
    with pytest.raises(ConfigError, match="SERVE_KEY"):
        LanguageModelServer(echo, port=0, api_key_env="SERVE_KEY").start()


def test_wrong_parameters_are_refused_when_built(echo: Any) -> None:
    for params in ({"gather": -1}, {"batch": 0}, {"port": 70_000}, {"drain": -1}):
        with pytest.raises(ConfigError):
            LanguageModelServer(echo, **params)
    for limits in ({"body": 0}, {"top_logprobs": -1}, {"queue": 0}):
        with pytest.raises(ConfigError):
            Limits(**limits)


def test_a_port_that_is_taken_is_said(client: Any, echo: Any) -> None:
    with pytest.raises(ConfigError, match="cannot listen on"):
        LanguageModelServer(echo, port=client.port).start()
