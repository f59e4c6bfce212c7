"""HTTP for one language model: routes, limits, time-outs, the key. It does not know models.

The requests of one connection are handled in a thread of their own, which waits for the model's thread and notices when
the client has gone.
"""

from __future__ import annotations

import hmac
import json
import logging
import select
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from ..core.exchange import Completion
from . import replies
from .fields import Asked, Body, Limits, read_chat, read_completion
from .refusals import Refused

if TYPE_CHECKING:
    from .server import LanguageModelServer

logger = logging.getLogger(__name__)

_Read = Callable[[Body, Limits], Asked]
_POST: dict[str, _Read] = {"/v1/chat/completions": read_chat, "/v1/completions": read_completion}
_GET = ("/health", "/v1/models")
_BODY_SECONDS = 15.0  # from the header to the last byte of a body
_DISCARDED, _DISCARD_SECONDS = 2**26, 2.0  # bytes and seconds for the rest of a body that was refused
_LOOK = 0.05  # seconds between looks at a client that waits


class Gone(Exception):
    """The client does not wait any more."""


class Server(ThreadingHTTPServer):
    """Listens for a ``LanguageModelServer``."""

    daemon_threads = True
    block_on_close = False  # a client may hold its connection open
    request_queue_size = 128  # with the default of 5, clients that connect at once wait a second for their turn

    def __init__(self, place: tuple[str, int], owner: LanguageModelServer) -> None:
        self.owner = owner
        self.address_family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        super().__init__(place, Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.exception("a connection broke")


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "shortlist", ""
    disable_nagle_algorithm = True
    wbufsize = 65536  # head and body leave together
    timeout = 30  # seconds of silence after which a connection ends
    command = ""  # until a request line was read
    _read = True

    def do_GET(self) -> None:
        self._handle("GET")

    def do_POST(self) -> None:
        self._handle("POST")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # any other method is refused like these two
            return lambda: self._handle(name.removeprefix("do_"))
        raise AttributeError(name)

    def _handle(self, method: str) -> None:
        owner = self.server.owner
        with owner.busy():
            try:
                body = self._routed(method, self.path.partition("?")[0])
                self._send(200, json.dumps(body).encode())
            except Refused as refused:
                self.close_connection |= not self._read  # what is left of the body is not the next request
                self._send(refused.status, refused.body, refused.headers)
                if not self._read:
                    self._discard()
            except (Gone, OSError):
                self.close_connection = True

    def _routed(self, method: str, route: str) -> Any:
        owner = self.server.owner
        self._read = method != "POST" and "content-length" not in self.headers  # nothing of a body is left
        if route == "/health" and method == "GET":
            if not owner.alive:
                raise Refused(503, "the server is shutting down", code="shutting_down")
            return {"status": "ok"}
        self._check_key()
        if method == "POST" and route in _POST:
            return self._completed(_POST[route])
        if method == "GET" and route == "/v1/models":
            return replies.models(owner.name, owner.started, owner.context)
        if method == "GET" and route == f"/v1/models/{owner.name}":
            return replies.model(owner.name, owner.started, owner.context)
        if route in _POST or route in _GET:
            allowed = "POST" if route in _POST else "GET"
            raise Refused(405, f"{route} takes {allowed}, not {method}", code="method_not_allowed")
        raise Refused(404, f"no route {route[:100]}; there are {', '.join((*_POST, *_GET))}", code="unknown_url")

    def _check_key(self) -> None:
        key = self.server.owner.key
        given = self.headers.get("authorization", "").partition(" ")[2].strip()
        if key and not hmac.compare_digest(given.encode("utf-8", "replace"), key.encode("utf-8", "replace")):
            raise Refused(401, "Incorrect API key provided", code="invalid_api_key")

    def _completed(self, read: _Read) -> Any:
        owner = self.server.owner
        body = self._body()
        asked = read(body, owner.limits)
        named = body.get("model")
        if named is not None and named != owner.name:
            shown = named if isinstance(named, str) else type(named).__name__
            message = f"The model {shown[:100]!r} does not exist; this server has {owner.name!r}"
            raise Refused(404, message, code="model_not_found", param="model")
        return replies.reply(asked, self._waited(owner.submit(asked)), owner.name, owner.fingerprint)

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("content-length", "")
        if not length:
            raise Refused(411, "send the body with a Content-Length", code="length_required")
        if not (length.isascii() and length.isdigit()):
            raise Refused(400, "Content-Length is not a number", code="invalid_value")
        most = self.server.owner.limits.body
        if int(length[:20]) > most:
            raise Refused(413, f"the body has more than {most} bytes", code="body_too_large")
        raw = self._received(int(length))
        self._read = True
        try:
            data = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise Refused(400, f"the body is not JSON ({str(error)[:100]})", code="invalid_json") from error
        if not isinstance(data, dict):
            raise Refused(400, "the body is not a JSON object", code="invalid_json")
        return data

    def _received(self, length: int) -> bytes:
        raw, until = bytearray(), time.monotonic() + _BODY_SECONDS
        while len(raw) < length:
            self.connection.settimeout(max(0.01, until - time.monotonic()))
            try:
                part = self.rfile.read1(min(65536, length - len(raw)))
            except TimeoutError as error:
                raise Refused(408, f"the body did not come within {_BODY_SECONDS:.0f} s", code="timeout") from error
            if not part:
                raise Gone
            raw += part
        self.connection.settimeout(self.timeout)
        return bytes(raw)

    def _discard(self) -> None:
        """Read what is left of a refused body, within reason: closed at once, the client would not see the answer."""
        until, left = time.monotonic() + _DISCARD_SECONDS, _DISCARDED
        try:
            while left > 0 and time.monotonic() < until:
                self.connection.settimeout(_DISCARD_SECONDS)
                part = self.rfile.read1(65536)
                if not part:
                    return
                left -= len(part)
        except OSError:  # it was told
            return

    def _waited(self, answers: Sequence[Future[Completion]]) -> list[Completion]:
        """The answers, in order. Raises Refused for the first that failed, Gone when the client has hung up."""
        pending: Sequence[Any] = answers
        while pending:
            done, left = wait(pending, timeout=_LOOK, return_when=FIRST_EXCEPTION)
            pending = list(left)
            if any(answer.exception() for answer in done) or (pending and self._has_gone()):
                for answer in pending:
                    answer.cancel()
                if not any(answer.exception() for answer in done):
                    raise Gone
                break
        return [answer.result() for answer in answers if not answer.cancelled()]

    def _has_gone(self) -> bool:
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        closing = {"Connection": "close"} if self.close_connection or not self.server.owner.alive else {}
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {}), **closing}
        try:
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)
            self.wfile.flush()
        except OSError:  # the client gave up
            self.close_connection = True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses (a bad request line, too long a header), as JSON too."""
        self.close_connection = True
        self._send(code, Refused(code, message or "bad request").body)

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)
