"""Attempts, waits, time-outs and the circuit breaker."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from shortlist.backends.fake.troubles import Troubles
from shortlist.backends.http import EndpointError, OpenAICompatible, Patience
from shortlist.backends.http.breaker import Breaker
from shortlist.backends.http.patience import retry_after
from shortlist.backends.http.refusals import server_message
from shortlist.core.errors import BackendError, ConfigError
from shortlist.core.exchange import Request

ASK = Request("Rank these.")


def refused(reply: Any, status: int, body: Any = None, **headers: str) -> Any:
    return reply(
        {"error": "no"} if body is None else body, status, {k.replace("_", "-"): v for k, v in headers.items()}
    )


@pytest.fixture
def fine(reply: Any) -> Any:
    return reply({"choices": [{"text": "[1]"}]})


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 529])
def test_passing_troubles_are_retried(can: Any, connect: Any, reply: Any, fine: Any, status: int) -> None:
    server = can(refused(reply, status), refused(reply, status), fine)
    backend = connect(server)
    assert backend.generate([ASK])[0].text == "[1]"
    assert backend.counts == {
        "requests": 1, "attempts": 3, "answered": 1, f"retried_status_{status}": 2, "usage_absent": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "the request itself was refused"),
        (401, "no key was sent"),
        (402, "no credit"),
        (403, "may not use this model"),
        (404, "check the URL"),
        (405, "takes no POST"),
        (413, "fewer or shorter documents"),
        (422, "a field was refused"),
        (301, "redirects are not followed"),
        (501, "does not offer this"),
        (424, "answered 424"),
    ],
)
def test_lasting_refusals_are_asked_once_and_say_what_to_do(
    can: Any, connect: Any, reply: Any, status: int, advice: str
) -> None:
    server = can(reply({"error": {"message": "reason"}}, status, {"Location": "http://127.0.0.1:1/"}))
    with pytest.raises(BackendError, match=advice) as caught:
        connect(server).generate([ASK])
    assert isinstance(caught.value, EndpointError)
    assert (caught.value.status, caught.value.attempts) == (status, 1)
    assert f"answered {status} (reason) after 1 attempt;" in str(caught.value) or status == 424
    assert len(server.bodies) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_prompt_that_does_not_fit_is_told_from_other_refusals(
    can: Any, connect: Any, reply: Any, status: int
) -> None:
    said = "This model's maximum context length is 512 tokens. Please reduce the length"
    with pytest.raises(EndpointError, match="does not fit the model"):
        connect(can(reply({"message": said}, status))).generate([ASK])


def test_an_exhausted_account_is_not_asked_again(can: Any, connect: Any, reply: Any) -> None:
    server = can(reply({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, 429))
    with pytest.raises(EndpointError, match="no credit left"):
        connect(server).generate([ASK])
    assert len(server.bodies) == 1


def test_retry_after_in_seconds_milliseconds_and_as_a_date_is_kept(
    can: Any, connect: Any, reply: Any, fine: Any, clock: Any
) -> None:
    date = format_datetime(datetime.fromtimestamp(clock.time + 7 + 3 + 0.5 + 20, UTC), usegmt=True)
    server = can(
        refused(reply, 429, Retry_After="7"),
        refused(reply, 503, Retry_After_Ms="3000"),
        refused(reply, 429, Retry_After=date),
        fine,
    )
    connect(server, patience=Patience(first_wait=0.0)).generate([ASK])
    assert clock.slept[:2] == [7.0, 3.0]
    assert 20.0 <= clock.slept[2] <= 21.0, "dates have whole seconds"
    clock.slept.clear()
    connect(can(refused(reply, 429, Retry_After="7"), fine), patience=Patience(first_wait=2.0)).generate([ASK])
    assert 8.0 <= clock.slept[0] <= 9.0, "never earlier than asked, and not all clients at once"


@pytest.mark.parametrize("header", ["", "soon", "-3", "nan", "inf", "Thu, 99 Foo 1970"])
def test_an_unreadable_retry_after_is_as_good_as_none(header: str) -> None:
    assert retry_after({"retry-after": header}, 0.0) is None


def test_a_past_date_asks_for_no_wait() -> None:
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:00:10 GMT"}, 100.0) == 0.0


def test_a_server_that_asks_for_too_long_is_given_up_at_once(can: Any, connect: Any, reply: Any, clock: Any) -> None:
    server = can(refused(reply, 429, Retry_After="3600"))
    with pytest.raises(EndpointError, match="asks to wait 3600 s, more than longest_retry_after=120"):
        connect(server).generate([ASK])
    assert len(server.bodies) == 1 and clock.slept == []


def test_waits_double_with_a_jitter_that_repeats(can: Any, connect: Any, reply: Any, clock: Any) -> None:
    def waits(request: Request, seed: int = 0) -> list[float]:
        clock.slept.clear()
        with pytest.raises(EndpointError, match="after 8 attempts"):
            patience = Patience(first_wait=1.0, longest_wait=8.0, seed=seed)
            connect(can(refused(reply, 500)), max_attempts=8, patience=patience).generate([request])
        return list(clock.slept)

    first = waits(ASK)
    for wait, most in zip(first, [1, 2, 4, 8, 8, 8, 8], strict=True):
        assert most / 2 <= wait <= most
    assert waits(ASK) == first
    assert waits(ASK, seed=1) != first
    assert waits(Request("Another.")) != first, "two requests do not wait in step"


def test_an_endpoint_that_is_not_there(connect: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    class Nowhere:
        url = f"http://127.0.0.1:{port}"

    with pytest.raises(EndpointError, match=r"cannot be reached .* after 4 attempts; check the URL") as caught:
        connect(Nowhere).generate([ASK])
    assert caught.value.status is None and caught.value.attempts == 4


def test_a_body_that_trickles_ends_with_the_total_time_out(connect: Any, opened: Any) -> None:
    """Each byte restarts a read time-out; the total one ends it."""
    import threading

    listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
    over = threading.Event()

    def trickle() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not over.wait(0.02):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()

    class Slow:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    began = time.monotonic()
    with pytest.raises(
        EndpointError, match=r"did not answer within timeout=0.3 s or was silent for read_timeout=0.2 s"
    ):
        connect(Slow, timeout=0.3, read_timeout=0.2, max_attempts=1).generate([ASK])
    assert time.monotonic() - began < 5
    over.set()
    thread.join(2)


def test_an_answer_without_end_is_refused(can: Any, connect: Any, reply: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist.backends.http.exchange._LARGEST_ANSWER", 1000)
    with pytest.raises(EndpointError, match="answered more than 1000 bytes after 1 attempt"):
        connect(can(reply(b" " * 5000))).generate([ASK])


def test_the_breaker_opens_waits_tries_once_and_closes(
    can: Any, connect: Any, reply: Any, fine: Any, clock: Any
) -> None:
    server = can(*[refused(reply, 500)] * 4, fine)
    backend = connect(server, max_attempts=1, concurrency=1, patience=Patience(open_after=3, cool_down=30.0))

    def ask() -> str:
        try:
            return str(backend.generate([ASK])[0].text)
        except EndpointError as error:
            return error.kind

    assert [ask() for _ in range(5)] == ["status_500"] * 3 + ["circuit_open"] * 2
    assert len(server.bodies) == 3, "an open breaker sends nothing"
    clock.time += 30.0
    assert [ask(), ask()] == ["status_500", "circuit_open"], "the trial failed, so it opens again at once"
    clock.time += 29.0
    assert ask() == "circuit_open"
    clock.time += 1.0
    assert [ask(), ask()] == ["[1]", "[1]"]
    assert backend.counts["refused_by_breaker"] == 4 and backend.counts["attempts"] == len(server.bodies) == 6


def test_an_open_breaker_ends_retries_and_says_so(can: Any, connect: Any, reply: Any) -> None:
    server = can(refused(reply, 502))
    backend = connect(server, max_attempts=9, patience=Patience(open_after=2, cool_down=1000.0))
    says = r"not asked, 2 failures in a row, the last: .*502.* \(tries again in .* is the server up\?"
    with pytest.raises(EndpointError, match=says):
        backend.generate([ASK])
    assert len(server.bodies) == 2


def test_an_endpoint_that_answered_before_is_waited_for(
    can: Any, connect: Any, reply: Any, fine: Any, clock: Any, caplog: Any
) -> None:
    server = can(fine, *[refused(reply, 500)] * 4, fine)
    backend = connect(server, max_attempts=9, patience=Patience(open_after=2, cool_down=30.0, first_wait=0.0))
    backend.generate([ASK])
    (done,) = backend.generate([ASK])
    assert done.text == "[1]" and len(server.bodies) == 6
    assert {r.kind: (r.count, r.detail) for r in done.repairs} == {
        "request_retried": (4, ""), "waited_for_endpoint": (1, "90 s")
    }  # fmt: skip
    assert backend.outage == "" and "waiting for it, 600 s at most" in caplog.text


def test_waiting_for_an_endpoint_ends(can: Any, connect: Any, reply: Any, fine: Any, clock: Any) -> None:
    server = can(fine, refused(reply, 500))
    backend = connect(server, max_attempts=99, max_outage=100.0, patience=Patience(open_after=2, cool_down=30.0))
    backend.generate([ASK])
    began = clock.time
    with pytest.raises(EndpointError, match=r"not asked, 6 failures in a row, the last: .*500"):
        backend.generate([ASK])
    assert 100 <= clock.time - began < 140 and "6 failures in a row" in backend.outage


@pytest.mark.parametrize(("answered", "waits"), [(True, 100.0), (False, 0.0)])
def test_a_server_that_goes_away_is_no_fault_of_the_request(
    can: Any, connect: Any, fine: Any, clock: Any, answered: bool, waits: float
) -> None:
    server = can(fine)
    backend = connect(server, max_attempts=2, max_outage=100.0, patience=Patience(first_wait=0.0))
    if answered:
        backend.generate([ASK])
    backend.close()
    server.stop()
    began = clock.time
    with pytest.raises(EndpointError, match="cannot be reached"):
        backend.generate([ASK])
    assert waits <= clock.time - began <= waits + 31 and "cannot be reached" in backend.outage


def test_refusals_of_single_requests_do_not_open_the_breaker(can: Any, connect: Any, reply: Any) -> None:
    server = can(refused(reply, 422), refused(reply, 429), refused(reply, 404))
    backend = connect(server, max_attempts=1, patience=Patience(open_after=1))
    for _ in range(4):
        with pytest.raises(EndpointError, match="answered 4"):
            backend.generate([ASK])


def test_an_overloaded_endpoint_is_not_taken_for_a_dead_one(can: Any, connect: Any, reply: Any, fine: Any) -> None:
    server = can(*[refused(reply, 503)] * 6, fine)
    backend = connect(server, max_attempts=9, patience=Patience(open_after=2, cool_down=1000.0))
    assert backend.generate([ASK])[0].text == "[1]" and len(server.bodies) == 7


def test_a_cancelled_trial_lets_another_one_through() -> None:
    breaker = Breaker(open_after=1, cool_down=5.0)
    breaker.failed(0.0)
    assert breaker.admit(5.0) and not breaker.admit(5.0)
    breaker.abandoned()
    assert breaker.admit(5.0)
    breaker.passed()
    assert breaker.state == "closed" and breaker.admit(0.0)


def test_cancelling_the_caller_cancels_the_request(serve: Any, connect: Any) -> None:
    endpoint = serve(troubles=Troubles(1.0, ("time_out",), stall=10.0))
    backend = connect(endpoint, concurrency=1, timeout=10.0)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await backend.agenerate(ASK)

    began = time.monotonic()
    asyncio.run(give_up())
    endpoint.troubles = Troubles()
    assert backend.generate([ASK])[0].text == "[1]", "its place is free again"
    assert time.monotonic() - began < 5


def test_the_first_failure_of_a_batch_cancels_the_others(can: Any, connect: Any, reply: Any, fine: Any) -> None:
    def by_prompt(body: Any) -> Any:
        return refused(reply, 400) if "bad" in body["prompt"] else fine

    server = can(by_prompt)
    backend = connect(server, concurrency=1)
    with pytest.raises(EndpointError, match="answered 400"):
        backend.generate([Request("bad")] + [Request(f"good {i}") for i in range(50)])
    assert len(server.bodies) < 10


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"error": {"message": "m", "type": "t"}}', "m"),
        (b'{"error": "Unauthorized"}', "Unauthorized"),
        (b'{"id": "x", "message": "invalid request"}', "invalid request"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"detail": [{"loc": ["body", 0], "msg": "Field required"}, {"msg": "b"}]}', "body.0: Field required; b"),
        (b'{"error": "Batch too large", "error_type": "Validation"}', "Batch too large"),
        (b"<html><h1>502</h1>", "an HTML page"),
        (b"plain\n  words", "plain words"),
        (b"", ""),
        (b"[" * 50_000, "[" * 297 + "..."),
        (b'{"detail": "' + b"x" * 1_000_000 + b'"}', "x" * 297 + "..."),
    ],
)
def test_the_servers_reason_is_found_in_any_shape_and_kept_short(raw: bytes, message: str) -> None:
    assert server_message(raw) == message


def test_wrong_limits_are_refused(connect: Any, can: Any, fine: Any) -> None:
    with pytest.raises(ConfigError, match="max_outage=-1: expected seconds"):
        connect(can(fine), max_outage=-1)


@pytest.mark.parametrize("params", [{"first_wait": -1.0}, {"cool_down": float("nan")}, {"open_after": 0}])
def test_wrong_patience_is_refused(params: Any) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Patience(**params)


def test_keys_in_a_query_string_are_sent_but_not_shown(
    can: Any, connect: Any, reply: Any, rerank_at: Callable[..., Any]
) -> None:
    server = can(reply({"message": "no"}, 403))
    endpoint = rerank_at(f"{server.url}/rerank?key=secret")
    with pytest.raises(EndpointError) as caught:
        endpoint.pair_scores([("q", "d")])
    assert server.paths == ["/rerank?key=secret"] and "secret" not in str(caught.value)


def test_a_request_that_waits_for_its_next_attempt_keeps_its_place(
    can: Any, connect: Any, reply: Any, fine: Any
) -> None:
    server = can(refused(reply, 429, Retry_After="1"), fine)
    connect(server, concurrency=1).generate([Request("first"), Request("second")])
    assert [body["prompt"] for body in server.bodies] == ["first", "first", "second"]


def test_an_endpoint_that_answers_leaves_no_repair(can: Any, fine: Any) -> None:
    backend = OpenAICompatible(f"{can(fine).url}/v1", "fake")  # by the machine's own clock, which never stands still
    assert backend.generate([ASK])[0].repairs == ()
    backend.close()
