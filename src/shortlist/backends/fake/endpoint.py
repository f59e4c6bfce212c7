"""A scripted OpenAI-compatible endpoint on this machine, for tests of everything that talks to one.

    with FakeEndpoint(troubles=Troubles(rate=0.1)) as endpoint:
        backend = OpenAICompatible(f"{endpoint.url}/v1", "fake", api_key_env=None)

It reads the passages out of the prompt (lines ``[1] text``), judges them by a fake backend, and answers as the readout
would have it; a share of the answers goes wrong on purpose. It listens on 127.0.0.1 only and needs the standard library
only. It is no server for anything else: no streaming, no limits on what it reads.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from ...core.protocols import Readout
from ...readouts import Permutation
from .oracle import Oracle
from .replies import Refused, completion, error_body, reranking
from .troubles import Kind, Troubles

_HTML = b"<html><body>Sign in to continue</body></html>"
_CONTENT = frozenset({"refuse", "truncate", "duplicate"})


@dataclass(frozen=True)
class Seen:
    """A request that came: route, body, the trouble it met, the key it carried."""

    path: str
    body: Any
    trouble: Kind | None
    key: str


@dataclass
class FakeEndpoint:
    """Started by ``with`` or ``start``; ``url`` is its base without ``/v1``.

    api_key: other keys are answered by 401. usage: whether token counts are stated. work: seconds per answer.
    gather: a request waits, 10 s at most, until so many have been under way at once.
    seen: every request in the order of arrival. peak: the most requests that were being answered at once.
    connections: how many were opened.
    """

    backend: Oracle = field(default_factory=Oracle)
    readout: Readout = field(default_factory=Permutation)
    troubles: Troubles = field(default_factory=Troubles)
    api_key: str | None = None
    usage: bool = True
    work: float = 0.0
    gather: int = 1
    seen: list[Seen] = field(init=False, default_factory=list)
    peak: int = field(init=False, default=0)
    connections: int = field(init=False, default=0)
    _times: Counter[bytes] = field(init=False, repr=False, default_factory=Counter)
    _busy: int = field(init=False, repr=False, default=0)
    _lock: threading.Condition = field(init=False, repr=False, default_factory=threading.Condition)
    _stopping: threading.Event = field(init=False, repr=False, default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = field(init=False, repr=False, default=None)

    @property
    def url(self) -> str:
        assert self._server is not None, "the endpoint is not started"
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> Self:
        """Listen on a free port of this machine, in a thread."""
        self._stopping.clear()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"endpoint": self}))
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening; answers that stall end."""
        self._stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._lock:
            self._busy += 1
            self.peak = max(self.peak, self._busy)
            self._lock.notify_all()
            self._lock.wait_for(lambda: self.peak >= self.gather, timeout=10)
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1

    def _note(self, path: str, raw: bytes, key: str) -> tuple[Any, Kind | None]:
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        name = hashlib.sha256(path.encode() + raw).digest()
        with self._lock:
            trouble = self.troubles.draw(raw, self._times[name])
            self._times[name] += 1
            self.seen.append(Seen(path, body, trouble, key))
        return body, trouble


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client may hold its connection open
    request_queue_size = 128  # with the default of 5, clients that connect at once wait a second for their turn


class _Handler(BaseHTTPRequestHandler):
    endpoint: FakeEndpoint
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30  # seconds of silence after which a connection that nobody uses ends

    def setup(self) -> None:
        super().setup()
        with self.endpoint._lock:
            self.endpoint.connections += 1

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        given = self.headers.get("authorization", "").removeprefix("Bearer ")
        with self.endpoint._at_work():
            body, trouble = self.endpoint._note(self.path, raw, given)
            if self.endpoint.work:
                self.endpoint._stopping.wait(self.endpoint.work)
            if self.endpoint.api_key is not None and given != self.endpoint.api_key:
                self._send(401, error_body("Incorrect API key provided"))
            elif not self._went_wrong(trouble):
                self._answer(body, trouble)

    def _went_wrong(self, trouble: Kind | None) -> bool:
        """Do what a trouble of transport does without an answer; False when there is to be one."""
        plan = self.endpoint.troubles
        if trouble == "rate_limit":
            self._send(429, error_body("Rate limit reached"), {"Retry-After": str(plan.retry_after)})
        elif trouble == "error":
            self._send(500, error_body("The server had an error"))
        elif trouble == "unavailable":
            self._send(503, error_body("The engine is overloaded"))
        elif trouble == "wrong_type":
            self._send(200, _HTML, {"Content-Type": "text/html"})
        elif trouble == "time_out":
            self.endpoint._stopping.wait(plan.stall)
            self._hang_up()
        else:
            return False
        return True

    def _answer(self, body: Any, trouble: Kind | None) -> None:
        content = trouble if trouble in _CONTENT else None
        try:
            if not isinstance(body, dict):
                raise Refused(400, "the body is not a JSON object")
            route = self.path.partition("?")[0]
            if route.endswith("completions"):
                reply = completion(body, self.endpoint.backend, self.endpoint.readout, content, self.endpoint.usage)
            elif "rerank" in route:
                reply = reranking(body, self.endpoint.backend, content)
            else:
                raise Refused(404, f"no route {route}")
        except Refused as refusal:
            self._send(refusal.status, error_body(refusal.message))
            return
        if trouble == "half_json":
            self._send(200, reply[: len(reply) // 2])
        elif trouble == "drop":
            self._write(200, reply, {}, cut=len(reply) // 2)
            self._hang_up()
        else:
            self._send(200, reply)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._write(status, body, headers or {}, cut=len(body))

    def _write(self, status: int, body: bytes, headers: dict[str, str], *, cut: int) -> None:
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        reason = self.responses.get(status, ("",))[0]
        try:
            self.wfile.write(f"HTTP/1.1 {status} {reason}\r\n{head}\r\n".encode() + body[:cut])
        except OSError:  # the client gave up
            self.close_connection = True

    def _hang_up(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # it is already gone
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: ``seen`` is the log."""
