"""One model, many clients: batches, isolation of failures, clients that leave, queues, shutdown."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shortlist.backends.transformers.sampled import Sampled
from shortlist.serve import LanguageModelServer, Limits
from shortlist.serve import http as wire
from shortlist.serve.refusals import Refused
from shortlist.serve.worker import Worker


def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def held(client: Any, echo: Any, pool: ThreadPoolExecutor) -> Any:
    """A request that the model is busy with until ``echo.gate`` opens."""
    before = len(echo.batches)
    echo.gate.clear()
    first = pool.submit(client.chat, "first")
    until(lambda: len(echo.batches) > before)
    return first


def test_thirty_two_clients_share_a_few_calls(serve: Any, echo: Any) -> None:
    client = serve(echo)
    with ThreadPoolExecutor(40) as pool:
        first = held(client, echo, pool)
        asked = [pool.submit(client.chat, f"number {i}") for i in range(32)]
        until(lambda: client.server.counts["requests"] == 33)
        echo.gate.set()
        assert [a.result().text for a in asked] == [f" number {i}" for i in range(32)]
        assert first.result().status == 200
    assert [len(batch) for batch in echo.batches] == [1, 32]
    assert client.server.counts["answered"] == 33 and client.server.counts["batches"] == 2


def test_requests_that_come_together_are_computed_together(serve: Any, echo: Any) -> None:
    client = serve(echo, gather=60, batch=3)
    with ThreadPoolExecutor(4) as pool:
        started = time.monotonic()
        list(pool.map(client.chat, ["a", "b", "c"]))
        assert time.monotonic() - started < 30, "a full batch does not wait"
    assert [len(batch) for batch in echo.batches] == [3]


@pytest.mark.parametrize(
    ("word", "status", "code", "says"),
    [
        ("poison", 500, "model_error", "the model failed (RuntimeError); the server's log says why"),
        ("broken", 500, "model_error", "the model returned NaN"),
        ("forbidden", 400, "context_length_exceeded", "a prompt has no tokens"),
        ("unmeasurable", 500, "model_error", "the model failed (ZeroDivisionError)"),
    ],
)
def test_one_bad_request_does_not_spoil_the_others(
    serve: Any, echo: Any, word: str, status: int, code: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(echo)
    with ThreadPoolExecutor(12) as pool:
        first = held(client, echo, pool)
        bad = pool.submit(client.chat, f"this is {word}")
        good = [pool.submit(client.chat, f"number {i}") for i in range(8)]
        until(lambda: client.server.counts["requests"] == 10)
        echo.gate.set()
        assert [a.result().text for a in good] == [f" number {i}" for i in range(8)]
        assert first.result().status == 200 and bad.result().status == status
        assert bad.result().error["code"] == code and says in bad.result().error["message"]
        assert "secret" not in bad.result().error["message"]
    assert client.chat("and on").status == 200
    counts = client.server.counts
    assert counts["answered"] == 10 and counts["failed"] + counts["refused"] == 1
    if status == 500:
        assert "the model failed" in caplog.text


def test_a_client_that_leaves_costs_nothing_more(serve: Any, echo: Any) -> None:
    client = serve(echo)
    body = json.dumps({"prompt": "left behind"}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with ThreadPoolExecutor(2) as pool:
        first = held(client, echo, pool)
        for number in range(20):
            with socket.create_connection(("127.0.0.1", client.port), timeout=5) as raw:
                raw.sendall(head + body)
                until(lambda n=number: client.server.counts["requests"] == n + 2)
        until(lambda: client.server._busy == 1)
        echo.gate.set()
        assert first.result().status == 200
    assert client.chat("next").text == " next"
    until(lambda: client.server.counts["cancelled"] == 20)
    assert [len(batch) for batch in echo.batches] == [1, 1], "none of the twenty was computed"


def test_a_full_queue_is_said_with_when_to_come_again(serve: Any, echo: Any) -> None:
    client = serve(echo, limits=Limits(queue=3))
    with ThreadPoolExecutor(8) as pool:
        first = held(client, echo, pool)
        waiting = [pool.submit(client.chat, f"number {i}") for i in range(3)]
        until(lambda: client.server.counts["requests"] == 4)
        refused = client.chat("one too many")
        assert refused.status == 429 and refused.headers["retry-after"] == "1"
        assert (refused.error["type"], refused.error["code"]) == ("rate_limit_error", "queue_full")
        assert client.send("GET", "/health").status == 200, "while the model works"
        echo.gate.set()
        assert [w.result().status for w in (first, *waiting)] == [200] * 4


def test_a_body_that_does_not_come_ends_its_connection(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_BODY_SECONDS", 0.3)
    monkeypatch.setattr(wire, "_DISCARD_SECONDS", 0.1)
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", client.port), timeout=5) as raw:
        raw.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        for _ in range(3):
            time.sleep(0.05)
            raw.sendall(b" ")
        answer = b"".join(iter(lambda: raw.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 408 ") and time.monotonic() - started < 2
    assert client.chat("others").status == 200


def test_a_kept_connection_serves_several_requests(client: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=5)
    for route, body, status in (
        ("/v1/completions", b'{"prompt": "again"}', 200),
        ("/v1/completions", b'{"prompt": 3}', 400),
        ("/v1/completions", b'{"prompt": "again"}', 200),
    ):
        connection.request("POST", route, body)
        kept = connection.sock
        response = connection.getresponse()
        response.read()
        assert response.status == status and connection.sock is kept
    connection.request("POST", "/v1/nothing", b"{}")
    response = connection.getresponse()
    assert response.status == 404 and response.getheader("connection") == "close", "its body was not read"
    connection.close()


def test_what_is_under_way_is_answered_before_the_end(echo: Any, serve: Any) -> None:
    client = serve(echo)
    port = client.port
    with ThreadPoolExecutor(8) as pool:
        first = held(client, echo, pool)
        waiting = [pool.submit(client.chat, f"number {i}") for i in range(4)]
        until(lambda: client.server.counts["requests"] == 5)
        ending = threading.Thread(target=client.server.stop)
        ending.start()
        until(lambda: not client.server.alive)
        late = client.chat("too late")
        assert (late.status, late.error["code"], late.headers["retry-after"]) == (503, "shutting_down", "1")
        assert client.send("GET", "/health").status == 503
        echo.gate.set()
        assert [w.result().status for w in (first, *waiting)] == [200] * 5
        ending.join(5)
        assert not ending.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_the_end_has_a_deadline(echo: Any) -> None:
    server = LanguageModelServer(echo, port=0, drain=0.3, batch=1).start()
    port = int(server.url.split(":")[2].partition("/")[0])
    echo.gate.clear()
    body = json.dumps({"prompt": "x"}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as running,
        socket.create_connection(("127.0.0.1", port), timeout=5) as waiting,
    ):
        for number, raw in enumerate((running, waiting), 1):
            raw.sendall(head + body)
            until(lambda n=number: server.counts["requests"] == n)
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 3
        assert waiting.recv(100).startswith(b"HTTP/1.1 503 ")
    echo.gate.set()


def test_the_end_is_reached_also_when_a_waiting_client_has_left(echo: Any) -> None:
    worker = Worker(echo, gather=0.0, most=1, queue=8)
    worker.start()
    echo.gate.clear()
    (running,) = worker.submit([Sampled("first", max_tokens=5)], whole=True)
    until(running.running)
    left, waiting = worker.submit([Sampled("left", max_tokens=5), Sampled("waiting", max_tokens=5)], whole=True)
    left.cancel()
    worker.stop(0.1)
    with pytest.raises(Refused, match="shutting down"):
        waiting.result(timeout=1)
    echo.gate.set()
