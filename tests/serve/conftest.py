"""A server over a backend without a model, and a client of a few lines."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from shortlist.backends.transformers.sampled import Place, Sampled, Shown
from shortlist.core.errors import BackendError, InputError
from shortlist.core.exchange import Completion, Token
from shortlist.core.types import Usage
from shortlist.serve import LanguageModelServer


@dataclass
class Echo:
    """Says the words of the last text again. ``batches``: what it was asked, call by call. ``gate``: waits for it."""

    context: int | None = 40
    digest: str = "echo-1"
    path: str = "models/echo"
    batches: list[list[Sampled]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def measure(self, request: Sampled) -> int:
        if "unmeasurable" in request.texts[-1]:
            raise ZeroDivisionError("a bug in the tokenizer")
        return sum(len(text.split()) for text in request.texts)

    def generate(self, requests: Sequence[Sampled]) -> list[Completion]:
        self.batches.append(list(requests))
        assert self.gate.wait(10)
        for needle, error in (
            ("poison", RuntimeError("secret of the house")),
            ("broken", BackendError("the model returned NaN")),
            ("forbidden", InputError("a prompt has no tokens")),
        ):
            if any(needle in request.texts[-1] for request in requests):
                raise error
        return [self._said(request) for request in requests]

    def _said(self, request: Sampled) -> Completion:
        words = [f" {word}" for word in request.texts[-1].split()]
        text = "".join(words[: request.max_tokens])
        stops = [at for at in (text.find(stop) for stop in request.stop) if at >= 0]
        written = words[: request.max_tokens]
        usage = Usage(1, self.measure(request), len(written), 2)
        finished = bool(stops) or len(words) < request.max_tokens
        text = request.prefill + text[: min(stops, default=len(text))]
        if not request.logprobs:
            return Completion(text, None, finished, usage)
        shown = [Token(word, -0.5) for word in written] + [Token("<end>", -0.25)] * finished
        others = tuple(Token(f"other{i}", -1.0 - i) for i in range(request.top))
        impossible = (Token("never", float("-inf")),) if request.top else ()
        places = tuple(Place(token, (token, *others, *impossible)[: request.top]) for token in shown)
        return Shown(text, None, finished, usage, tokens=tuple(shown), places=places)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def error(self) -> dict[str, Any]:
        assert set(self.body) == {"error"} and set(self.body["error"]) == {"message", "type", "param", "code"}
        found: dict[str, Any] = self.body["error"]
        return found

    @property
    def text(self) -> str:
        (choice,) = self.body["choices"]
        return str(choice["message"]["content"] if "message" in choice else choice["text"])


@dataclass(frozen=True)
class Client:
    """One connection per request."""

    server: LanguageModelServer

    @property
    def port(self) -> int:
        return int(self.server.url.split(":")[2].partition("/")[0])

    def send(self, method: str, route: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, route, body, headers)
            response = connection.getresponse()
            given = {name.lower(): value for name, value in response.getheaders()}
            assert given["content-type"] == "application/json"
            return Answer(response.status, json.loads(response.read()), given)
        finally:
            connection.close()

    def post(self, route: str, body: Any, **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", route, raw, **headers)

    def chat(self, *texts: str, **more: Any) -> Answer:
        roles = ("user", "assistant")
        messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
        return self.post("/v1/chat/completions", {"messages": messages, **more})

    def complete(self, prompt: Any, **more: Any) -> Answer:
        return self.post("/v1/completions", {"prompt": prompt, **more})


@pytest.fixture
def serve() -> Iterator[Callable[..., Client]]:
    """A client of a started server; ``serve(backend, **parameters)``."""
    with ExitStack() as stack:

        def make(backend: Any, **params: Any) -> Client:
            return Client(stack.enter_context(LanguageModelServer(backend, **{"port": 0, "drain": 5.0, **params})))

        yield make


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def client(serve: Callable[..., Client], echo: Echo) -> Client:
    return serve(echo)
