"""Endpoints on 127.0.0.1, clients that do not wait, and the plainest prompt."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shortlist.backends.fake.endpoint import FakeEndpoint
from shortlist.backends.http import OpenAICompatible, RerankEndpoint
from shortlist.core.exchange import Message, Request
from shortlist.core.types import Candidate, Query


@dataclass
class StillClock:
    """Time that moves only when someone sleeps, and then at once."""

    time: float = 1_000_000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def tick(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@dataclass(frozen=True)
class Listing:
    """Query, then one passage a line, as a single user message or as one string."""

    chat: bool = True
    prefill: str = ""

    def render(self, query: Query, candidates: Sequence[Candidate], *, labels: tuple[str, ...]) -> Request:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        names = [letters[i] if labels and labels[0] == "A" else str(i + 1) for i in range(len(candidates))]
        lines = [f"[{name}] {c.document.text}" for name, c in zip(names, candidates, strict=True)]
        text = "\n".join([f"{query.id} {query.text}", *lines])
        return Request((Message("user", text),) if self.chat else text, labels, self.prefill)


@dataclass(frozen=True)
class Reply:
    """status, body (JSON, or bytes as they are), headers."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class Canned:
    """Plays replies in order; the last one for ever. ``bodies``, ``paths`` and ``headers`` say what came."""

    def __init__(self, replies: Sequence[Reply | Callable[[Any], Reply]]) -> None:
        self.replies = list(replies)
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        canned, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    reply = canned.replies[min(len(canned.bodies), len(canned.replies) - 1)]
                    canned.bodies.append(body)
                    canned.paths.append(self.path)
                    canned.headers.append({k.lower(): v for k, v in self.headers.items()})
                reply = reply if isinstance(reply, Reply) else reply(body)
                fields = {"Content-Length": str(len(reply.raw)), "Content-Type": "application/json", **reply.headers}
                head = "".join(f"{k}: {v}\r\n" for k, v in fields.items())
                self.wfile.write(f"HTTP/1.1 {reply.status} x\r\n{head}\r\n".encode() + reply.raw)

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def listing() -> Callable[..., Listing]:
    return Listing


@pytest.fixture
def reply() -> type[Reply]:
    return Reply


@pytest.fixture
def said() -> Callable[..., Reply]:
    """A chat completion with the given text (or message)."""

    def make(text: Any = "[1]", *, logprobs: Any = None, finish: str = "stop", usage: Any = None, **more: Any) -> Reply:
        message = {"role": "assistant", "content": text, **more}
        body = {"choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": logprobs}]}
        return Reply(body | ({"usage": usage} if usage else {}))

    return make


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """What is to be closed at the end, clients before servers."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def serve(opened: ExitStack) -> Callable[..., FakeEndpoint]:
    """A started FakeEndpoint with the given parameters."""
    return lambda **params: opened.enter_context(FakeEndpoint(**params))


@pytest.fixture
def can(opened: ExitStack) -> Callable[..., Canned]:
    """A server that plays the given replies."""

    def make(*replies: Any) -> Canned:
        canned = Canned(replies)
        opened.callback(canned.stop)
        return canned

    return make


@pytest.fixture
def connect(opened: ExitStack, clock: StillClock) -> Callable[..., OpenAICompatible]:
    """A client of a server's ``/v1`` that does not wait."""

    def make(server: Any, **params: Any) -> OpenAICompatible:
        given = {"api_key_env": None, "clock": clock, **params}
        backend = OpenAICompatible(f"{server.url}/v1", "fake", **given)
        opened.callback(backend.close)
        return backend

    return make


@pytest.fixture
def rerank_at(opened: ExitStack, clock: StillClock) -> Callable[..., RerankEndpoint]:
    """A client of a rerank route that does not wait."""

    def make(url: str, **params: Any) -> RerankEndpoint:
        endpoint = RerankEndpoint(url, **{"clock": clock, **params})
        opened.callback(endpoint.close)
        return endpoint

    return make
